import { create } from "@bufbuild/protobuf";
import { type ClientFrame, ClientFrameSchema, ErrorCode, type Reply } from "@fanfare/proto/v1";
import { validatorFor } from "@fanfare/proto/validate";
import type { ClientBreaks } from "../mutants/client-mutants.ts";
import type { Connection } from "./connection.ts";
import { ClientFailure, failureOf } from "./failure.ts";

/** A frame that is a request, without its id. */
export type RequestKind = ClientFrame["kind"];

interface Pending {
  readonly kind: RequestKind;
  /** Not sent again on another connection. */
  readonly once: boolean;
  on: Connection | undefined;
  readonly onReply: (reply: Reply) => void;
  readonly fail: (failure: ClientFailure) => void;
}

const validate = validatorFor(ClientFrameSchema);

/** Ids, and the requests that wait for their replies. A request whose connection has ended is sent again on the next one. */
export class Requests {
  readonly #breaks: ClientBreaks;
  readonly #pending = new Map<number, Pending>();
  #connection: Connection | undefined;
  /** The session is about to leave the connection: what is asked for waits (FF-GO-022). */
  #isHeld = false;
  #lastId = 0;

  constructor(breaks: ClientBreaks) {
    this.#breaks = breaks;
  }

  /** An id that nothing waits under. */
  nextId(): number {
    if (this.#breaks.has("ids-used-twice")) return 1;
    return ++this.#lastId;
  }

  /** `onReply` is called before the frames behind the reply are handled. @throws ClientFailure */
  send(kind: RequestKind, onReply: (reply: Reply) => void = () => {}, deadlineMs = 0, once = false): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const id = this.nextId();
      const violation = validate(create(ClientFrameSchema, { id, kind }));
      if (violation !== undefined && !this.#breaks.has("bounds-unchecked")) {
        return reject(new ClientFailure(ErrorCode.INVALID_ARGUMENT, `${violation.field} ${violation.message}`));
      }
      const late = () => fail(new ClientFailure(ErrorCode.DEADLINE_EXCEEDED, "no reply in time"));
      const timer = deadlineMs > 0 ? setTimeout(late, deadlineMs) : undefined;
      const fail = (failure: ClientFailure) => {
        clearTimeout(timer);
        this.#pending.delete(id);
        reject(failure);
      };
      const pending: Pending = {
        kind,
        once,
        on: undefined,
        fail,
        onReply: (reply) => {
          clearTimeout(timer);
          if (reply.result.case === "error") {
            return reject(failureOf(reply.result.value, undefined, this.#breaks.has("unknown-errors-told")));
          }
          onReply(reply);
          resolve(reply);
        },
      };
      this.#pending.set(id, pending);
      if (this.#connection !== undefined && !this.#isHeld) this.#transmit(id, pending, this.#connection);
    });
  }

  /** False: nobody waits for it. */
  reply(id: number, reply: Reply): boolean {
    const pending = this.#pending.get(id);
    if (pending === undefined) return false;
    if (reply.result.case === "error" && this.#breaks.has("refused-requests-repeated") && pending.on !== undefined) {
      const { on } = pending;
      setTimeout(() => this.#transmit(id, pending, on), 50);
      pending.on = undefined;
    } else this.#pending.delete(id);
    pending.onReply(reply);
    return true;
  }

  /** Requests wait until the next connection, or this one again, is attached. */
  hold(): void {
    this.#isHeld = !this.#breaks.has("changes-while-moving");
  }

  /** Requests go out on this connection from now on. */
  attach(connection: Connection): void {
    this.#connection = connection;
    this.#isHeld = false;
    for (const [id, pending] of this.#pending) if (pending.on === undefined) this.#transmit(id, pending, connection);
  }

  lost(connection: Connection): void {
    if (this.#connection === connection) this.#connection = undefined;
    for (const pending of [...this.#pending.values()]) {
      if (pending.on !== connection) continue;
      pending.on = undefined;
      if (pending.once && !this.#breaks.has("calls-repeated")) {
        pending.fail(new ClientFailure(ErrorCode.DEADLINE_EXCEEDED, "the connection has ended"));
      }
    }
  }

  close(failure: ClientFailure): void {
    for (const { fail } of [...this.#pending.values()]) fail(failure);
  }

  #transmit(id: number, pending: Pending, connection: Connection): void {
    pending.on = connection;
    if (connection.send(create(ClientFrameSchema, { id, kind: pending.kind }))) return;
    pending.fail(new ClientFailure(ErrorCode.TOO_LARGE, "larger than the server takes"));
  }
}
