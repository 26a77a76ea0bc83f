import { isLonger } from "./bounds.ts";
import type { Link } from "./connection/link.ts";
import { setDeadline } from "./deadline.ts";
import { cancelled, FanfareError, fromWireError } from "./error.ts";
import type { Clock } from "./ports.ts";
import { PublishRate } from "./publish-rate.ts";
import type { Init } from "./wire/codec.ts";
import { ErrorCode, Outcome, type Publish, type PublishResult, type Reply } from "./wire/schema.ts";

/** Bounds of the queue of publishes that cannot be sent at the moment. */
export interface OutboxLimits {
  maxCount: number;
  maxBytes: number;
}

/** Who gives up a publish, and when. */
export interface PublishWait {
  signal?: AbortSignal | undefined;
  timeoutMs: number;
}

interface Item {
  publish: Init<Publish>;
  bytes: number;
  /** By the clock here; past it, it is not sent any more. */
  expiresAt: number;
  seq: number;
  /** Id of the frame it was last sent in. */
  id: number;
  /** The connection it was sent on; undefined: not sent, or not answered by one that is lost. */
  link: Link | undefined;
  settle(outcome: PublishResult | FanfareError): void;
}

/** A volatile message is dropped instead of being put behind this many bytes that wait to get out. */
const volatileBufferBytes = 256 * 1024;
/** Publishes wait in the outbox while the socket has more than this to send. */
const socketBufferBytes = 1024 * 1024;

/**
 * Publishes on their way. Volatile ones are sent now or dropped. Others go out no faster than the server admits them, are numbered when they are first sent, and stay here until
 * they are answered: when their connection is lost they are repeated under the same number, before anything newer.
 */
export class Outbox {
  readonly #clock: Clock;
  readonly #limits: OutboxLimits;
  readonly #nextId: () => number;
  /** How fast the server takes publishes. */
  readonly rate: PublishRate;
  /** Not yet sent, in order. */
  #queue = new Set<Item>();
  #queuedBytes = 0;
  /** Sent and not answered, in the order of their numbers; by frame id. */
  readonly #inFlight = new Map<number, Item>();
  #link: Link | undefined;
  /** The connection to go over to when nothing is unanswered on the one in use. */
  #nextLink: Link | undefined;
  #seq = 0;
  /** What is unanswered up to there was sent before, on another connection. */
  #repeatedSeq = 0;
  #recheckTimer: unknown;
  /** Unanswered publishes that may be on their way at once. */
  window = 64;
  /** Bytes of a payload that the server takes; 0: not known yet. */
  maxPayloadBytes = 0;

  constructor(clock: Clock, limits: OutboxLimits, nextId: () => number) {
    this.#clock = clock;
    this.#limits = limits;
    this.#nextId = nextId;
    this.rate = new PublishRate(clock);
  }

  /** Sends a message that nobody waits for; false: it was dropped, because there is no connection or it is too slow. */
  send(publish: Init<Publish>): boolean {
    const link = this.#link;
    if (link === undefined || link.bufferedBytes > volatileBufferBytes || this.#tooLarge(publish)) return false;
    this.rate.count();
    return link.send({ publish: { ...publish, seq: ++this.#seq } });
  }

  /** Sends a message and waits for what became of it. */
  publish(publish: Init<Publish>, { signal, timeoutMs }: PublishWait): Promise<PublishResult> {
    if (signal?.aborted) return Promise.reject(cancelled(signal, { outcome: Outcome.FAILED }));
    const bytes = weightOf(publish);
    const failed = (code: ErrorCode, message: string, field = "") =>
      Promise.reject(new FanfareError(code, message, { field, outcome: Outcome.FAILED }));
    if (this.#tooLarge(publish)) {
      return failed(ErrorCode.TOO_LARGE, `a payload has at most ${this.maxPayloadBytes} bytes`, "publish.payload");
    }
    const { maxCount, maxBytes } = this.#limits;
    if (this.#queue.size >= maxCount || (this.#queuedBytes + bytes > maxBytes && this.#queue.size > 0)) {
      return failed(
        ErrorCode.LIMIT_EXCEEDED,
        `${this.#queue.size} publishes (${this.#queuedBytes} bytes) wait already`,
      );
    }
    return new Promise((resolve, reject) => {
      const abort = () => give(cancelled(signal, { outcome: this.#outcomeSoFar(item) }));
      const clear = setDeadline(this.#clock, this.#clock.now() + timeoutMs, () => {
        const outcome = this.#outcomeSoFar(item);
        const unsent = outcome === Outcome.FAILED;
        const text = unsent ? `not sent within ${timeoutMs} ms` : `no reply within ${timeoutMs} ms`;
        give(new FanfareError(unsent ? ErrorCode.EXPIRED : ErrorCode.DEADLINE_EXCEEDED, text, { outcome }));
      });
      // Who gave up hears nothing more, but a publish that is on its way keeps its number and is repeated if need be.
      const give = (outcome: PublishResult | FanfareError) => {
        clear();
        signal?.removeEventListener("abort", abort);
        if (item.seq === 0) this.#unqueue(item);
        if (outcome instanceof FanfareError) reject(outcome);
        else resolve(outcome);
      };
      const item: Item = {
        publish,
        bytes,
        expiresAt: this.#clock.now() + (publish.ttlMs || Number.POSITIVE_INFINITY),
        seq: 0,
        id: 0,
        link: undefined,
        settle: (outcome) => {
          give(outcome);
          this.#inFlight.delete(item.id);
          this.#pump();
        },
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#queue.add(item);
      this.#queuedBytes += bytes;
      this.#pump();
    });
  }

  /** Whether the reply was for a publish. */
  onReply(id: number, reply: Reply): boolean {
    const item = this.#inFlight.get(id);
    if (item === undefined) return false;
    item.settle(outcomeOf(reply, item.seq <= this.#repeatedSeq));
    return true;
  }

  /** Publishes on this connection from now on. Unanswered ones are repeated first, or have failed in a `fresh` session. */
  attach(link: Link, fresh: boolean): void {
    this.#link = link;
    this.#nextLink = undefined;
    const unanswered = [...this.#inFlight.values()].filter((item) => item.link !== link);
    this.#repeatedSeq = this.#seq;
    for (const { id } of unanswered) this.#inFlight.delete(id);
    if (fresh) for (const item of unanswered) item.settle(sessionGone());
    else for (const item of unanswered) this.#transmit(item, link);
    this.#pump();
  }

  /** Publishes on this connection as soon as everything on the one in use is answered; nothing new goes out before. */
  moveTo(link: Link): void {
    this.#nextLink = link;
    this.#pump();
  }

  /** This connection answers nothing any more. */
  lost(link: Link): void {
    if (this.#nextLink === link) this.#nextLink = undefined;
    if (this.#link === link) this.#link = undefined;
    for (const item of this.#inFlight.values()) if (item.link === link) item.link = undefined;
  }

  /** Rejects everything. */
  close(error: (outcome: Outcome) => FanfareError): void {
    this.#link = undefined;
    this.#clock.clearTimer(this.#recheckTimer);
    for (const item of [...this.#inFlight.values(), ...this.#queue]) item.settle(error(this.#outcomeSoFar(item)));
  }

  #pump(): void {
    if (this.#nextLink !== undefined && this.#inFlight.size === 0) {
      this.#link = this.#nextLink;
      this.#nextLink = undefined;
    }
    const link = this.#link;
    if (link === undefined || this.#nextLink !== undefined) return;
    for (const item of this.#queue) {
      if (this.#inFlight.size >= this.window) return;
      // Sockets do not tell when they have drained.
      const delayMs = link.bufferedBytes > socketBufferBytes ? 20 : this.rate.delayMs;
      if (delayMs > 0) return this.#recheck(delayMs);
      this.#unqueue(item);
      if (this.#clock.now() >= item.expiresAt) {
        item.settle(new FanfareError(ErrorCode.EXPIRED, "its time has passed", unsent));
        continue;
      }
      item.seq = ++this.#seq;
      this.#transmit(item, link);
    }
  }

  #transmit(item: Item, link: Link): void {
    item.id = this.#nextId();
    item.link = link;
    this.rate.count();
    this.#inFlight.set(item.id, item);
    if (link.send({ id: item.id, publish: { ...item.publish, seq: item.seq } })) return;
    const outcome = item.seq > this.#repeatedSeq ? Outcome.FAILED : Outcome.UNKNOWN;
    item.settle(new FanfareError(ErrorCode.TOO_LARGE, "larger than the server takes", { outcome }));
  }

  #recheck(delayMs: number): void {
    this.#clock.clearTimer(this.#recheckTimer);
    this.#recheckTimer = this.#clock.setTimer(delayMs, () => this.#pump());
  }

  #unqueue(item: Item): void {
    if (this.#queue.delete(item)) this.#queuedBytes -= item.bytes;
  }

  #outcomeSoFar(item: Item): Outcome {
    return item.seq === 0 ? Outcome.FAILED : Outcome.UNKNOWN;
  }

  #tooLarge(publish: Init<Publish>): boolean {
    return this.maxPayloadBytes > 0 && isTooLarge(publish, this.maxPayloadBytes);
  }
}

/** Of an error, that nothing was sent. */
export const unsent = { outcome: Outcome.FAILED };

function outcomeOf({ error, publishResult }: Reply, isRepeat: boolean): PublishResult | FanfareError {
  // By this a server refuses a frame before it looks at it (FF-LI-003): of a repeat it does not say what became of the first.
  if (isRepeat && error?.code === ErrorCode.RATE_LIMITED) return fromWireError(error, { outcome: Outcome.UNKNOWN });
  if (error !== undefined) return fromWireError(error, unsent);
  if (publishResult === undefined) return new FanfareError(ErrorCode.INTERNAL, "the reply holds no result");
  const { outcome } = publishResult;
  const isSuccess = outcome === Outcome.DELIVERED || outcome === Outcome.STORED || outcome === Outcome.OFFLINE;
  if (isSuccess) return publishResult;
  if (outcome === Outcome.FAILED || outcome === Outcome.UNKNOWN) return fromWireError(publishResult.error, { outcome });
  return new FanfareError(ErrorCode.INTERNAL, `outcome ${outcome}`, { outcome: Outcome.UNKNOWN });
}

function sessionGone(): FanfareError {
  const message = "the session ended before the answer";
  return new FanfareError(ErrorCode.SESSION_ENDED, message, { outcome: Outcome.UNKNOWN });
}

function isTooLarge({ payload }: Init<Publish>, most: number): boolean {
  const text = payload?.text ?? payload?.json;
  return text === undefined ? (payload?.binary?.length ?? 0) > most : isLonger(text, most);
}

/** What a publish counts for in the queue: its data, and something for itself. A bound of memory, so strings count as they lie there. */
function weightOf({ payload }: Init<Publish>): number {
  return 128 + (payload?.binary?.length ?? 2 * (payload?.text ?? payload?.json ?? "").length);
}
