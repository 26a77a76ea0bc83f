import { create } from "@bufbuild/protobuf";
import {
  ClientFrameSchema,
  ErrorCode,
  type Payload,
  type Rpc,
  type RpcResult,
  RpcResultSchema,
} from "@fanfare/proto/v1";
import type { ClientBreaks } from "../mutants/client-mutants.ts";
import type { Connection } from "./connection.ts";

/** Answers the backend's calls with what was fixed for each method. */
export class Calls {
  readonly #breaks: ClientBreaks;
  readonly #results = new Map<string, Payload | undefined>();

  constructor(breaks: ClientBreaks) {
    this.#breaks = breaks;
  }

  /** @param payload undefined: the handler fails */
  answer(method: string, payload: Payload | undefined): void {
    this.#results.set(method, payload);
  }

  call(connection: Connection, id: number, { method }: Rpc): void {
    if (!this.#results.has(method)) {
      if (this.#breaks.has("unknown-methods-unanswered")) return;
      return refuse(connection, id, ErrorCode.UNKNOWN_METHOD, "no such method");
    }
    const payload = this.#results.get(method);
    if (payload === undefined) {
      if (this.#breaks.has("failed-calls-unanswered")) return;
      return refuse(connection, id, ErrorCode.INTERNAL, "the handler failed");
    }
    const times = this.#breaks.has("calls-answered-twice") ? 2 : 1;
    const value = create(RpcResultSchema, { result: { case: "payload", value: payload } });
    for (let n = 0; n < times; n++) {
      if (!send(connection, id, value)) refuse(connection, id, ErrorCode.TOO_LARGE, "the result is too large");
    }
  }
}

/** Answers what is asked under an id with an error. */
export function refuse(connection: Connection, id: number, code: ErrorCode, message: string): void {
  send(connection, id, create(RpcResultSchema, { result: { case: "error", value: { code, message } } }));
}

function send(connection: Connection, id: number, value: RpcResult): boolean {
  return connection.send(create(ClientFrameSchema, { id, kind: { case: "rpcResult", value } }));
}
