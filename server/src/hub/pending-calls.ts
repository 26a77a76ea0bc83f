import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ErrorCode, type Payload, type Rpc, type RpcResult, RpcResultSchema } from "@fanfare/proto/v1";
import type { Clock, Timer } from "../clock.ts";
import { encodeFrame } from "../wire/frame-encoding.ts";
import type { SessionLink } from "./session-link.ts";

/** How long a caller waits if it does not say, in milliseconds. */
const defaultDeadlineMs = 5_000;

const lastCallId = 0x7fff_ffff;

interface PendingCall {
  readonly timer: Timer;
  readonly done: (result: RpcResult) => void;
}

/**
 * The backend's calls to one session that wait for an answer. Ids are those of the frames, from the lower half of
 * their range (the upper half is that of pings), and are not used again while a call waits.
 * Bounded: past `maxPending` a call fails with LIMIT_EXCEEDED.
 */
export class PendingCalls {
  readonly #clock: Clock;
  readonly #maxPending: number;
  readonly #pending = new Map<number, PendingCall>();
  #nextId = 1;

  constructor(clock: Clock, maxPending = 64) {
    this.#clock = clock;
    this.#maxPending = maxPending;
  }

  /** Sends the call and reports its result: the client's answer, or an error for the caller. Never rejects. */
  call(link: SessionLink, rpc: Pick<Rpc, "method" | "payload" | "deadlineMs">): Promise<RpcResult> {
    if (this.#pending.size >= this.#maxPending) {
      const message = `${this.#maxPending} calls to this session wait for an answer already`;
      return Promise.resolve(failure(ErrorCode.LIMIT_EXCEEDED, message));
    }
    const id = this.#nextId;
    this.#nextId = this.#nextId === lastCallId ? 1 : this.#nextId + 1;
    const deadlineMs = rpc.deadlineMs || defaultDeadlineMs;
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(deadlineMs, () => {
        this.#settle(id, failure(ErrorCode.DEADLINE_EXCEEDED, `no answer within ${deadlineMs} ms`));
      });
      this.#pending.set(id, { timer, done: resolve });
      link.enqueue(encodeFrame(callFrame(id, rpc.method, rpc.payload, deadlineMs)));
    });
  }

  /** Takes a client's answer. False: nobody waits for it (any more). */
  answer(id: number, result: RpcResult): boolean {
    return this.#settle(id, result);
  }

  /** Fails every call, because the connection that carried them is gone. */
  failAll(message: string): void {
    for (const id of [...this.#pending.keys()]) this.#settle(id, failure(ErrorCode.DEADLINE_EXCEEDED, message));
  }

  #settle(id: number, result: RpcResult): boolean {
    const pending = this.#pending.get(id);
    if (pending === undefined) return false;
    this.#pending.delete(id);
    pending.timer.cancel();
    pending.done(result);
    return true;
  }
}

function callFrame(id: number, method: string, payload: Payload | undefined, deadlineMs: number) {
  const rpc = payload === undefined ? { method, deadlineMs } : { method, payload, deadlineMs };
  return { id, kind: { case: "rpc" as const, value: rpc } };
}

function failure(code: ErrorCode, message: string): RpcResult {
  const init: MessageInitShape<typeof RpcResultSchema> = { result: { case: "error", value: { code, message } } };
  return create(RpcResultSchema, init);
}
