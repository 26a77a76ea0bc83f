import { create } from "@bufbuild/protobuf";
import { ErrorCode, type Rpc, type RpcResult, RpcResultSchema } from "@fanfare/proto/v1";
import type { Breaks } from "../mutants/mutants.ts";
import type { Connection } from "./connection.ts";

/** How long the backend waits for an answer that names no deadline, in milliseconds. */
const defaultDeadlineMs = 5_000;

/** The backend's calls that a connection has not answered yet. */
export class Calls {
  readonly #breaks: Breaks;
  readonly #waiting = new Map<number, (result: RpcResult) => void>();

  constructor(breaks: Breaks) {
    this.#breaks = breaks;
  }

  /** Asks the client. Settles with its result, or with DEADLINE_EXCEEDED when there is none in time, or the connection has ended. */
  ask(connection: Connection, rpc: Rpc): Promise<RpcResult> {
    const { promise, resolve } = Promise.withResolvers<RpcResult>();
    const id = this.#breaks.has("call-ids-used-again") ? 1 : connection.nextId();
    const { method, payload } = rpc;
    connection.send({ case: "rpc", value: { method, ...(payload && { payload }), deadlineMs: rpc.deadlineMs } }, id);
    const deadlineMs = this.#breaks.has("call-deadline-ignored") ? 30_000 : rpc.deadlineMs || defaultDeadlineMs;
    const timer = setTimeout(() => this.answer(id, deadlineExceeded()), deadlineMs);
    this.#waiting.set(id, (result) => {
      clearTimeout(timer);
      resolve(result);
    });
    return promise;
  }

  /** Returns whether somebody waited for it. */
  answer(id: number, result: RpcResult): boolean {
    const resolve = this.#waiting.get(id);
    this.#waiting.delete(id);
    resolve?.(result);
    return resolve !== undefined;
  }

  /** The connection is gone. */
  end(): void {
    if (this.#breaks.has("call-outlives-its-connection")) return;
    for (const id of [...this.#waiting.keys()]) this.answer(id, deadlineExceeded());
  }
}

function deadlineExceeded(): RpcResult {
  const error = { code: ErrorCode.DEADLINE_EXCEEDED, message: "no result came" };
  return create(RpcResultSchema, { result: { case: "error", value: error } });
}
