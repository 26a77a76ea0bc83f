import { shortened } from "./bounds.ts";
import type { Link } from "./connection/link.ts";
import { FanfareError } from "./error.ts";
import {
  decodePayload,
  encodePayload,
  fromWirePayload,
  type InputOf,
  type PayloadType,
  type ValueOf,
} from "./payload.ts";
import type { Clock } from "./ports.ts";
import { ErrorCode, type Rpc } from "./wire/schema.ts";

/** What a method takes and returns. */
export interface MethodTypes<Request extends PayloadType, Response extends PayloadType> {
  /** The arguments. */
  request: Request;
  /** The result. */
  response: Response;
}

/** One call of the backend. */
export interface CallContext {
  /** What was called. */
  readonly method: string;
  /** Aborted when the caller no longer waits: at the deadline, and with the connection. */
  readonly signal: AbortSignal;
  /** How long the caller waits, in milliseconds from the receipt. */
  readonly deadlineMs: number;
}

type Handler = (rpc: Rpc, context: CallContext) => Promise<Rpc["payload"]>;

/** Calls that run at once; more are refused with LIMIT_EXCEEDED. */
const maxRunning = 64;
const defaultDeadlineMs = 5000;

/** Answers the calls of the backend. */
export class RpcHandlers {
  readonly #clock: Clock;
  readonly #report: (error: FanfareError) => void;
  readonly #handlers = new Map<string, Handler>();
  readonly #running = new Map<AbortController, Link>();

  constructor(clock: Clock, report: (error: FanfareError) => void) {
    this.#clock = clock;
    this.#report = report;
  }

  add<Q extends PayloadType, R extends PayloadType>(
    method: string,
    types: MethodTypes<Q, R>,
    handle: (request: ValueOf<Q>, context: CallContext) => InputOf<R> | Promise<InputOf<R>>,
  ): () => void {
    if (this.#handlers.has(method)) {
      throw new FanfareError(ErrorCode.FAILED_PRECONDITION, `${method} has a handler already`);
    }
    const handler: Handler = async (rpc, context) => {
      let request: ValueOf<Q>;
      try {
        request = decodePayload(types.request, fromWirePayload(rpc.payload));
      } catch (thrown) {
        throw new FanfareError(ErrorCode.INVALID_ARGUMENT, FanfareError.from(thrown).message, { field: "rpc.payload" });
      }
      return encodePayload(types.response, await handle(request, context));
    };
    this.#handlers.set(method, handler);
    return () => {
      if (this.#handlers.get(method) === handler) this.#handlers.delete(method);
    };
  }

  /** Runs a call; its answer goes out on the connection it came on. */
  call(link: Link, id: number, rpc: Rpc): void {
    const handler = this.#handlers.get(rpc.method);
    if (handler === undefined) return refuse(link, id, ErrorCode.UNKNOWN_METHOD, `no handler for ${rpc.method}`);
    if (this.#running.size >= maxRunning) {
      return refuse(link, id, ErrorCode.LIMIT_EXCEEDED, `${maxRunning} calls are running`);
    }
    const deadlineMs = rpc.deadlineMs || defaultDeadlineMs;
    const controller = new AbortController();
    this.#running.set(controller, link);
    const timer = this.#clock.setTimer(deadlineMs, () => {
      controller.abort();
      refuse(link, id, ErrorCode.DEADLINE_EXCEEDED, `no result within ${deadlineMs} ms`);
    });
    const answer = (respond: () => void) => {
      this.#running.delete(controller);
      this.#clock.clearTimer(timer);
      if (!controller.signal.aborted) respond();
    };
    handler(rpc, { method: rpc.method, signal: controller.signal, deadlineMs }).then(
      (payload) =>
        answer(() => {
          if (link.send({ id, rpcResult: { payload } })) return;
          refuse(link, id, ErrorCode.TOO_LARGE, "larger than the server takes");
        }),
      (thrown: unknown) => {
        // What a handler throws by accident stays here: its message may hold what is nobody else's business.
        const isMeant = thrown instanceof FanfareError;
        if (!isMeant) this.#report(FanfareError.from(thrown));
        const { code, message } = isMeant ? thrown : new FanfareError(ErrorCode.INTERNAL, "the handler failed");
        answer(() => refuse(link, id, code, message));
      },
    );
  }

  /** Who called on this connection waits no longer. */
  lost(link: Link): void {
    for (const [controller, from] of this.#running) if (from === link) controller.abort();
  }
}

/** Answers a call with an error. */
function refuse(link: Link, id: number, code: ErrorCode, message: string): void {
  link.send({ id, rpcResult: { error: { code, message: shortened(message, 1024) } } });
}
