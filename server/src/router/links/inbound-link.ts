import type { LinkCounters } from "../../observe/link-counters.ts";
import type { Log } from "../../observe/log.ts";
import type { BatchTail, DecodedBatch } from "./batch.ts";
import type { CreditAccount } from "./credit.ts";
import type { ResolvedLinkOptions } from "./link-options.ts";
import type { LinkReceiver } from "./link-port.ts";
import { ReceiveWindow } from "./receive-window.ts";

/** What an {@link InboundLink} needs. */
export interface InboundParts {
  readonly options: ResolvedLinkOptions;
  readonly counters: LinkCounters;
  readonly log: Log;
  readonly receiver: LinkReceiver;
  readonly account: CreditAccount;
  readonly peer: bigint;
  readonly monotonicMs: () => number;
  /** `tellDueMs` may be earlier than it was. */
  readonly onDue: () => void;
  /** What was said does not reach the peer. */
  readonly onUnheard: (nowMs: number) => void;
}

/** Batches that come in shorter intervals than this share their acknowledgements, in milliseconds. */
const frequentMs = 5;
/** How often missing batches are asked for. */
const maxAsks = 5;
const never = Number.POSITIVE_INFINITY;

/** The receiving side of a link: hands records on in their order and each once, and decides when to say what has arrived. */
export class InboundLink {
  readonly #parts: InboundParts;
  readonly #window: ReceiveWindow<DecodedBatch>;
  /** How long what was said may take to have an effect, in milliseconds: a peer that has not heard it by twice that sends again. */
  readonly #effectMs: number;
  #tellDueMs = never;
  #askDueMs = never;
  /** How often what is missing now has been asked for. */
  #asks = 0;
  #lastLane = -1;
  #lastMs = Number.NEGATIVE_INFINITY;
  #intervalMs = 1_000;
  #toldCredit = 0;
  /** What had been acknowledged at a moment, and what at one before. */
  #sample = { acknowledged: 0, atMs: Number.NEGATIVE_INFINITY };
  #effective = 0;
  #unheardMs = Number.NEGATIVE_INFINITY;
  #earlyBytes = 0;
  #isClosed = false;

  constructor(parts: InboundParts) {
    this.#parts = parts;
    this.#window = new ReceiveWindow(parts.options.maxUnacknowledged);
    this.#effectMs = parts.options.minRetransmitMs / 2;
    this.#toldCredit = parts.account.grantedBytes;
  }

  /** When the peer has to be told something; Infinity: it knows all. */
  get tellDueMs(): number {
    return Math.min(this.#tellDueMs, this.#askDueMs);
  }

  /** The peer has to be told something, soon. */
  get hasNews(): boolean {
    return this.tellDueMs !== never;
  }

  /** A batch with a number has come. */
  receive(batch: DecodedBatch, lane: number, nowMs: number): void {
    const { counters, options } = this.#parts;
    switch (this.#window.arrive(batch.number, batch)) {
      case "next":
        this.#inTurn(batch, nowMs);
        break;
      case "early":
        counters.earlyIn++;
        this.#countEarly(batch.recordBytes);
        // What was sent before over the same lane may still come; over another one, the link has moved, and it will be slower.
        // What goes to several at once has a lane of its own.
        this.#ask(lane === this.#lastLane || this.#lastLane < 0 || batch.isShared ? nowMs + options.gapDelayMs : nowMs);
        break;
      case "too_early":
        counters.earlyIn++;
        this.#ask(nowMs + options.gapDelayMs);
        break;
      case "duplicate":
        counters.duplicatesIn++;
        this.#again(batch.number, nowMs);
    }
    if (!batch.isShared) this.#lastLane = lane;
  }

  /** What to say now. It counts as said. */
  tail(nowMs: number): Omit<BatchTail, "probe" | "echo"> {
    const { acknowledged } = this.#window;
    const missing = this.#askDueMs <= nowMs ? this.#window.missing() : [];
    if (this.#askDueMs <= nowMs) this.#askedAt(nowMs);
    if (nowMs - this.#sample.atMs >= this.#effectMs) {
      this.#effective = this.#sample.acknowledged;
      this.#sample = { acknowledged, atMs: nowMs };
    }
    this.#tellDueMs = never;
    this.#toldCredit = this.#parts.account.grant();
    return { acknowledged, missing, credit: this.#toldCredit };
  }

  /** What was said last may not have been heard. */
  tellAgain(nowMs: number): void {
    this.#tellBy(nowMs);
  }

  close(): void {
    this.#isClosed = true;
    this.#tellDueMs = never;
    this.#askDueMs = never;
    this.#parts.account.close();
    this.#countEarly(-this.#earlyBytes);
  }

  #inTurn(first: DecodedBatch, nowMs: number): void {
    const { options } = this.#parts;
    const hadGap = this.#window.hasGap;
    this.#intervalMs += (Math.min(1_000, nowMs - this.#lastMs) - this.#intervalMs) / 4;
    this.#lastMs = nowMs;
    const delayMs = this.#intervalMs < frequentMs ? options.loadedAckDelayMs : options.ackDelayMs;
    this.#tellBy(hadGap ? nowMs : nowMs + delayMs);
    this.#handOn(first);
    for (let batch = this.#window.takeNext(); batch !== undefined; batch = this.#window.takeNext()) {
      if (this.#isClosed) return;
      this.#countEarly(-batch.recordBytes);
      this.#handOn(batch);
    }
    if (this.#isClosed) return;
    this.#asks = 0;
    this.#askDueMs = this.#window.hasGap ? nowMs + options.gapDelayMs : never;
    this.#tellIfLow(nowMs);
  }

  #handOn({ loss, records, recordBytes }: DecodedBatch): void {
    const { receiver, account, peer, counters } = this.#parts;
    counters.recordsIn += records.length;
    let isKept = false;
    const keep = () => {
      isKept = true;
      let isReleased = false;
      return () => {
        if (isReleased) return;
        isReleased = true;
        this.#release(recordBytes);
      };
    };
    if (loss !== undefined) this.#call(() => receiver.onLoss(peer, loss));
    if (records.length > 0 && !this.#isClosed) this.#call(() => receiver.onRecords(peer, records, keep));
    if (!isKept) account.use(recordBytes);
  }

  #call(handler: () => void): void {
    const { counters, log } = this.#parts;
    try {
      handler();
    } catch (reason) {
      counters.handlerFaults++;
      log.error("records of a peer could not be handled", { reason });
    }
  }

  #release(bytes: number): void {
    if (this.#isClosed) return;
    this.#parts.account.use(bytes);
    this.#tellIfLow(this.#parts.monotonicMs());
  }

  /** A batch has come twice: if the peer was told long ago that it was there, it does not hear what it is told. */
  #again(number: number, nowMs: number): void {
    const { acknowledged, atMs } = this.#sample;
    const isEffective = nowMs - atMs >= this.#effectMs ? number <= acknowledged : number <= this.#effective;
    if (isEffective && nowMs - this.#unheardMs >= 2 * this.#effectMs) {
      this.#unheardMs = nowMs;
      this.#parts.onUnheard(nowMs);
    }
    this.#tellBy(nowMs);
  }

  /** A peer that has little credit left is told at once what it has been granted. */
  #tellIfLow(nowMs: number): void {
    const { account } = this.#parts;
    if (account.isLow(this.#toldCredit) && account.grant() > this.#toldCredit) this.#tellBy(nowMs);
  }

  #countEarly(bytes: number): void {
    this.#earlyBytes += bytes;
    this.#parts.counters.earlyBytes += bytes;
  }

  #tellBy(dueMs: number): void {
    if (dueMs >= this.#tellDueMs || this.#isClosed) return;
    this.#tellDueMs = dueMs;
    this.#parts.onDue();
  }

  /** Asks again after a while, and a few times only: the peer sends again by itself what is not acknowledged. */
  #askedAt(nowMs: number): void {
    this.#asks++;
    this.#askDueMs = this.#asks < maxAsks ? nowMs + 4 * this.#asks * this.#parts.options.gapDelayMs : never;
  }

  #ask(dueMs: number): void {
    if (this.#asks > 0) return;
    if (dueMs >= this.#askDueMs || this.#isClosed) return;
    this.#askDueMs = dueMs;
    this.#parts.onDue();
  }
}
