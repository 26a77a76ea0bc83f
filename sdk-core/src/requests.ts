import type { Link } from "./connection/link.ts";
import { setDeadline } from "./deadline.ts";
import { cancelled, FanfareError, fromWireError } from "./error.ts";
import type { Clock } from "./ports.ts";
import type { Init } from "./wire/codec.ts";
import { type ClientFrame, ErrorCode, type Reply } from "./wire/schema.ts";

/** How long a request may wait, and who may give it up. */
export interface WaitOptions {
  /** Gives up: the promise is rejected with CANCELLED. */
  signal?: AbortSignal | undefined;
  /** How long to wait for the answer, in milliseconds. Default: the client's `requestTimeoutMs`. */
  timeoutMs?: number | undefined;
}

/** How a request is sent. */
export interface SendOptions extends WaitOptions {
  /** It may do harm twice: it fails with DEADLINE_EXCEEDED when its connection ends before the reply. Default: false. */
  once?: boolean | undefined;
}

interface Pending {
  frame: Init<ClientFrame>;
  once: boolean;
  link: Link | undefined;
  settle(reply: Reply | FanfareError): void;
}

/** Waiting requests past this are refused. */
const maxRequests = 1024;
const largestId = 0xfffe_ffff;

/**
 * Requests that wait for their reply. All of them but calls may be sent twice without harm, so those whose connection was lost are
 * sent again on the next one, until their deadline. Publishes are not here, they are in the outbox.
 */
export class Requests {
  readonly #clock: Clock;
  readonly #defaultTimeoutMs: number;
  /** Waiting for a connection or a free place at the server, in order, and sent: both by id. */
  readonly #pending = new Map<number, Pending>();
  #link: Link | undefined;
  #closed: FanfareError | undefined;
  #sent = 0;
  /**
   * The session is on its way to another connection, which does not know of what changes now: what is asked for waits for the next `attach` or
   * `lost`.
   */
  held = false;
  /** How many may wait for their reply at once. */
  window = 16;
  #lastId = 0;

  constructor(clock: Clock, defaultTimeoutMs: number) {
    this.#clock = clock;
    this.#defaultTimeoutMs = defaultTimeoutMs;
  }

  /** An id that no unanswered request has. */
  nextId(): number {
    do this.#lastId = this.#lastId >= largestId ? 1 : this.#lastId + 1;
    while (this.#pending.has(this.#lastId));
    return this.#lastId;
  }

  /**
   * Sends a request, now or when there is a connection. Rejects with the server's error, DEADLINE_EXCEEDED or CANCELLED. `onResult` gets
   * the result before the frames that follow it are looked at; the promise's own callbacks run later.
   */
  send(
    frame: Init<ClientFrame>,
    { signal, timeoutMs = this.#defaultTimeoutMs, once = false }: SendOptions = {},
    onResult?: (reply: Reply) => void,
  ): Promise<Reply> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (signal?.aborted) return Promise.reject(cancelled(signal));
    if (this.#pending.size >= maxRequests) {
      return Promise.reject(new FanfareError(ErrorCode.LIMIT_EXCEEDED, `${maxRequests} requests wait for their reply`));
    }
    const id = this.nextId();
    return new Promise((resolve, reject) => {
      const abort = () => pending.settle(cancelled(signal));
      const clear = setDeadline(this.#clock, this.#clock.now() + timeoutMs, () =>
        pending.settle(new FanfareError(ErrorCode.DEADLINE_EXCEEDED, `no reply within ${timeoutMs} ms`)),
      );
      const pending: Pending = {
        frame: { ...frame, id },
        once,
        link: undefined,
        settle: (outcome) => {
          clear();
          signal?.removeEventListener("abort", abort);
          this.#pending.delete(id);
          if (pending.link !== undefined) this.#sent--;
          if (outcome instanceof FanfareError) reject(outcome);
          else if (outcome.error !== undefined) reject(fromWireError(outcome.error));
          else {
            onResult?.(outcome);
            resolve(outcome);
          }
          this.#pump();
        },
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#pending.set(id, pending);
      this.#pump();
    });
  }

  /** Whether the reply was for one of these requests. */
  onReply(id: number, reply: Reply): boolean {
    const pending = this.#pending.get(id);
    pending?.settle(reply);
    return pending !== undefined;
  }

  /** Requests go out on this connection from now on; those that were sent on another one wait for their reply there. */
  attach(link: Link): void {
    this.#link = link;
    this.held = false;
    this.#pump();
  }

  /** This connection answers nothing any more. */
  lost(link: Link): void {
    if (this.#link === link) this.#link = undefined;
    this.held = false;
    for (const pending of [...this.#pending.values()]) {
      if (pending.link !== link) continue;
      if (pending.once) {
        pending.settle(new FanfareError(ErrorCode.DEADLINE_EXCEEDED, "the connection ended before the reply"));
        continue;
      }
      pending.link = undefined;
      this.#sent--;
    }
    this.#pump();
  }

  /** Rejects everything, also what comes later. */
  close(error: FanfareError): void {
    this.#closed = error;
    this.#link = undefined;
    for (const pending of [...this.#pending.values()]) pending.settle(error);
  }

  #pump(): void {
    if (this.#link === undefined || this.held) return;
    for (const pending of this.#pending.values()) {
      if (this.#sent >= this.window) return;
      if (pending.link !== undefined) continue;
      pending.link = this.#link;
      this.#sent++;
      if (this.#link.send(pending.frame)) continue;
      return pending.settle(new FanfareError(ErrorCode.TOO_LARGE, "larger than the server takes"));
    }
  }
}
