import { create } from "@bufbuild/protobuf";
import { ClientFrameSchema, ErrorCode, Outcome, type Publish, type PublishResult, type Reply } from "@fanfare/proto/v1";
import { validatorFor } from "@fanfare/proto/validate";
import type { ClientBreaks } from "../mutants/client-mutants.ts";
import type { Connection } from "./connection.ts";
import { ClientFailure, failureOf, successes } from "./failure.ts";

interface Item {
  readonly publish: Publish;
  id: number;
  /** Where it was sent; undefined: nowhere, or on a connection that has ended. */
  on: Connection | undefined;
  readonly settle: (outcome: PublishResult | ClientFailure) => void;
}

const mostQueued = 1_000;
const deadlineMs = 30_000;
const validate = validatorFor(ClientFrameSchema);

/** Publishes on their way: numbered when they are first sent, and repeated unchanged until they are answered. Section 8. */
export class Publishes {
  readonly #breaks: ClientBreaks;
  readonly #nextId: () => number;
  /** Sent and not answered, by seq. */
  readonly #unanswered = new Map<bigint, Item>();
  readonly #queue: Item[] = [];
  #connection: Connection | undefined;
  #seq = 0n;

  constructor(nextId: () => number, breaks: ClientBreaks) {
    this.#nextId = nextId;
    this.#breaks = breaks;
  }

  /** Sends now or not at all. */
  send(publish: Publish): void {
    const connection = this.#connection;
    if (connection === undefined && !this.#breaks.has("volatile-kept")) return;
    const kind = { case: "publish" as const, value: { ...publish, seq: this.#nextSeq() } };
    const frame = create(ClientFrameSchema, { kind });
    connection?.send(frame);
    if (this.#breaks.has("volatile-repeated") || this.#breaks.has("volatile-kept")) {
      const value = create(ClientFrameSchema, frame).kind.value as Publish;
      this.#unanswered.set(value.seq, { publish: value, id: 0, on: connection, settle: () => {} });
    }
  }

  /** @throws ClientFailure with what is known of it */
  publish(publish: Publish, waitMs = 0): Promise<PublishResult> {
    return new Promise((resolve, reject) => {
      const probe = create(ClientFrameSchema, { id: 1, kind: { case: "publish", value: { ...publish, seq: 1n } } });
      const violation = validate(probe);
      if (violation !== undefined && !this.#breaks.has("bounds-unchecked")) {
        const message = `${violation.field} ${violation.message}`;
        return reject(new ClientFailure(ErrorCode.INVALID_ARGUMENT, message, Outcome.FAILED));
      }
      if (this.#queue.length >= mostQueued) {
        return reject(new ClientFailure(ErrorCode.LIMIT_EXCEEDED, "too many wait", Outcome.FAILED));
      }
      const timer = setTimeout(() => {
        const outcome = item.publish.seq === 0n ? Outcome.FAILED : Outcome.UNKNOWN;
        item.settle(new ClientFailure(ErrorCode.DEADLINE_EXCEEDED, "no answer in time", outcome));
      }, waitMs || deadlineMs);
      timer.unref();
      const settle = (outcome: PublishResult | ClientFailure) => {
        clearTimeout(timer);
        const index = this.#queue.indexOf(item);
        if (index !== -1) this.#queue.splice(index, 1);
        if (outcome instanceof ClientFailure) reject(outcome);
        else resolve(outcome);
      };
      const item: Item = { publish, id: 0, on: undefined, settle };
      this.#queue.push(item);
      this.#pump();
    });
  }

  /** False: it was for no publish. */
  reply(id: number, reply: Reply): boolean {
    const item = [...this.#unanswered.values()].find((one) => one.id === id && one.on !== undefined);
    if (item === undefined) return false;
    this.#unanswered.delete(item.publish.seq);
    if (reply.result.case === "error" && this.#breaks.has("refused-publish-under-its-seq")) {
      const { on } = item;
      setTimeout(() => on && this.#transmit(item, on), 50);
    }
    item.settle(this.#outcomeOf(reply));
    return true;
  }

  /** Publishes on this connection: first what is unanswered, then what is new. */
  attach(connection: Connection): void {
    this.#connection = connection;
    if (this.#breaks.has("newer-before-repeats")) this.#pump();
    const lost = [...this.#unanswered.values()].filter(({ on }) => on !== connection);
    if (this.#breaks.has("repeats-reversed")) lost.reverse();
    for (const item of this.#breaks.has("no-repeats") ? [] : lost) this.#transmit(item, connection);
    this.#pump();
  }

  lost(connection: Connection): void {
    if (this.#connection === connection) this.#connection = undefined;
    for (const item of this.#unanswered.values()) if (item.on === connection) item.on = undefined;
  }

  /** What became of the unanswered is not known any more, and the next session counts anew. */
  forget(why = "the session has ended"): void {
    this.#seq = 0n;
    if (this.#breaks.has("repeats-in-another-session")) return;
    const outcome = this.#breaks.has("unanswered-as-failed") ? Outcome.FAILED : Outcome.UNKNOWN;
    const lost = [...this.#unanswered.values()];
    this.#unanswered.clear();
    for (const { settle } of lost) settle(new ClientFailure(ErrorCode.SESSION_ENDED, why, outcome));
  }

  close(failure: ClientFailure): void {
    this.forget(failure.message);
    for (const { settle } of [...this.#queue]) settle(new ClientFailure(failure.code, failure.message, Outcome.FAILED));
  }

  #pump(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    for (const item of this.#queue.splice(0)) {
      item.publish.seq = this.#nextSeq();
      this.#transmit(item, connection);
    }
  }

  #transmit(item: Item, connection: Connection): void {
    const isRepeat = item.id !== 0;
    item.id = item.publish.volatile ? 0 : this.#nextId();
    item.on = connection;
    this.#unanswered.set(item.publish.seq, item);
    const value = { ...item.publish };
    if (isRepeat && this.#breaks.has("repeats-under-new-seq")) value.seq = this.#nextSeq();
    if (isRepeat && this.#breaks.has("repeats-changed")) value.ttlMs = 1;
    if (connection.send(create(ClientFrameSchema, { id: item.id, kind: { case: "publish", value } }))) return;
    this.#unanswered.delete(item.publish.seq);
    item.settle(new ClientFailure(ErrorCode.TOO_LARGE, "larger than the server takes", Outcome.FAILED));
  }

  #nextSeq(): bigint {
    if (!this.#breaks.has("seq-not-raised")) this.#seq++;
    return this.#seq || 1n;
  }

  #outcomeOf({ result }: Reply): PublishResult | ClientFailure {
    if (result.case === "error")
      return failureOf(result.value, Outcome.FAILED, this.#breaks.has("unknown-errors-told"));
    if (result.case !== "publishResult") return new ClientFailure(ErrorCode.INTERNAL, "no result", Outcome.UNKNOWN);
    const { outcome, error } = result.value;
    if (successes.has(outcome) || this.#breaks.has("any-outcome-is-success")) return result.value;
    return failureOf(error, outcome === Outcome.FAILED ? Outcome.FAILED : Outcome.UNKNOWN);
  }
}
