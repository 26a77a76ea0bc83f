import type { LinkCounters } from "../../observe/link-counters.ts";
import type { Log } from "../../observe/log.ts";
import type { BatchTail } from "./batch.ts";
import { encodeAgain, encodeBatch } from "./batch-encoding.ts";
import type { QueuedRecord } from "./class-queue.ts";
import type { PublishFailure } from "./lane-health.ts";
import type { Carrier, LinkLane } from "./link-lane.ts";
import { initialCreditBytes, type ResolvedLinkOptions } from "./link-options.ts";
import type { LinkRecord } from "./link-port.ts";
import { LinkProber } from "./link-prober.ts";
import { PendingLoss } from "./pending-loss.ts";
import { RoundTrip } from "./round-trip.ts";
import { SendWindow, type SentBatch } from "./send-window.ts";
import type { Settle, Settlements } from "./settlements.ts";
import { TurnRecords } from "./turn-records.ts";
import { type OutReason, type TakenRecords, WaitingRecords } from "./waiting-records.ts";

/** What an {@link OutboundLink} needs. */
export interface OutboundParts {
  readonly options: ResolvedLinkOptions;
  readonly counters: LinkCounters;
  readonly log: Log;
  readonly settlements: Settlements;
  readonly random: () => number;
  readonly lane: LinkLane;
  /** What batches begin with. */
  readonly head: () => Uint8Array;
  /** What to say about the other direction now; it counts as said. */
  readonly tail: (nowMs: number) => Omit<BatchTail, "probe" | "echo">;
  /** Something is published. */
  readonly onPublish: (nowMs: number) => void;
}

/** How soon a suspended link asks again when it hears of its peer, in milliseconds. */
const hurriedProbeMs = 50;
/** A batch that has just been sent is not sent again because it is asked for, in milliseconds. */
const resendGuardMs = 5;

/**
 * The sending side of a link.
 *
 * | state | what it does | left by |
 * |---|---|---|
 * | working | sends while there is credit and room in the window; sends again what is not acknowledged, over another lane | three lanes failed, one after the other -> suspended |
 * | suspended | holds records within bounds; asks over several lanes whether anybody answers | an answer -> working, on the lane that was asked |
 */
export class OutboundLink {
  readonly #parts: OutboundParts;
  readonly #turn = new TurnRecords();
  readonly #waiting: WaitingRecords;
  readonly #loss: PendingLoss;
  readonly #window = new SendWindow();
  readonly #roundTrip: RoundTrip;
  readonly #prober: LinkProber;
  #isSuspended = false;
  #failures = 0;
  #creditBytes = initialCreditBytes;
  #sentBytes = 0;
  #progressMs = Number.NEGATIVE_INFINITY;
  /** What was sent before is to be sent again as soon as something is acknowledged. */
  #suspectMs = Number.NEGATIVE_INFINITY;
  #suspendedMs = 0;
  #countedWaiting = 0;
  #countedUnacknowledged = 0;

  constructor(parts: OutboundParts) {
    this.#parts = parts;
    const { options, random } = parts;
    const maxBytes = {
      live: options.maxLiveBytes,
      volatile: options.maxVolatileBytes,
      durable: options.maxDurableBytes,
      control: options.maxControlBytes,
    };
    this.#waiting = new WaitingRecords({ maxBytes, holdMs: options.holdMs }, (out, reason) =>
      this.#notSent(out, reason),
    );
    this.#loss = new PendingLoss(options.maxLossChannels);
    this.#roundTrip = new RoundTrip(options.minRetransmitMs, options.maxRetransmitMs);
    this.#prober = new LinkProber(options.minProbeMs, options.maxProbeMs, random);
  }

  get isSuspended(): boolean {
    return this.#isSuspended;
  }

  /** Nothing is on its way and nothing waits. */
  get isIdle(): boolean {
    return this.#window.size === 0 && !this.hasWork;
  }

  /** Records wait to be sent, or a loss to be told. */
  get hasWork(): boolean {
    return !this.#turn.isEmpty || !this.#waiting.isEmpty || !this.#loss.isEmpty;
  }

  /** When something has to be done if nothing happens; Infinity: nothing has. */
  get deadlineMs(): number {
    const { holdMs } = this.#parts.options;
    const { oldest, oldestUnsettledMs = Number.POSITIVE_INFINITY } = this.#window;
    return Math.min(
      this.#parts.lane.deadlineMs,
      this.#prober.dueMs,
      (this.#waiting.oldestMs ?? Number.POSITIVE_INFINITY) + holdMs,
      oldestUnsettledMs + holdMs,
      oldest === undefined || this.#isSuspended ? Number.POSITIVE_INFINITY : this.#retransmitMs(oldest),
    );
  }

  /** Takes a record. True: there is a batch full of them, and no need to wait for more. */
  add(record: LinkRecord, settle: Settle | undefined): boolean {
    this.#turn.push(record, settle);
    return this.#turn.bytes >= this.#parts.options.maxBatchBytes;
  }

  /** Sends what can be sent, and holds what cannot. */
  flush(nowMs: number): void {
    const { maxUnacknowledged, maxBatchBytes } = this.#parts.options;
    if (this.#window.size === 0) this.#parts.lane.goHome();
    this.#waiting.expire(nowMs);
    while (!this.#isSuspended && this.#window.size < maxUnacknowledged) {
      const creditBytes = this.#creditBytes - this.#sentBytes;
      const taken = creditBytes > 0 ? this.#take(Math.min(maxBatchBytes, creditBytes)) : nothing;
      // One loss without records at a time: what is lost meanwhile goes into the next one.
      if (taken.records.length === 0 && (this.#loss.isEmpty || this.#window.hasLoss)) break;
      this.#send(taken, nowMs);
    }
    this.#turn.drain((record, settle) => this.#waiting.add(record, settle, nowMs));
    this.#probeIfStarving(nowMs);
    this.#count();
  }

  /** The peer has every batch up to this number. */
  acknowledged(number: number, nowMs: number): void {
    const done = this.#window.acknowledge(number);
    if (done.length === 0) return;
    for (const { batch, wasSettled } of done) {
      if (batch.sends === 1) this.#roundTrip.measured(nowMs - batch.lastSentMs);
      if (!wasSettled) this.#settle(batch.settles, batch.records, "delivered");
    }
    this.#progressMs = nowMs;
    this.#roundTrip.progressed();
    if (!this.#isSuspended) {
      this.#failures = 0;
      this.#parts.lane.proved();
      this.#resendSuspects(nowMs);
    }
    this.#count();
  }

  /** The peer has granted so many bytes in all. */
  credited(bytes: number): void {
    this.#creditBytes = Math.max(this.#creditBytes, bytes);
  }

  /** The peer asks for batches. */
  missing(numbers: readonly number[], nowMs: number): void {
    if (this.#isSuspended) return;
    for (const number of numbers) {
      const batch = this.#window.at(number);
      if (batch !== undefined && batch.lastSentMs <= nowMs - resendGuardMs) this.#sendAgain(batch, nowMs);
    }
  }

  /** The peer has answered a probe. */
  answered(token: number, nowMs: number): void {
    const lane = this.#prober.laneOf(token);
    if (lane !== undefined && this.#isSuspended) this.#resume(lane, nowMs);
  }

  /** The peer lives. */
  heard(nowMs: number): void {
    if (this.#isSuspended) this.#prober.hurry(nowMs, hurriedProbeMs);
    else if (this.#window.size === 0) this.#failures = 0;
  }

  /** A publish of the current lane, or of one before, failed. @returns whether to say again what was said with it */
  publishFailed(carrier: Carrier, failure: PublishFailure, isCurrent: boolean, nowMs: number): boolean {
    if (this.#isSuspended) return false;
    if (!isCurrent) {
      this.#resend((batch) => batch.carrier === carrier, nowMs);
      return this.#window.size === 0;
    }
    this.#laneFailed(failure, nowMs);
    if (this.#isSuspended) return false;
    this.#resend(() => true, nowMs);
    return this.#window.size === 0;
  }

  /** The current lane fails everybody. */
  laneIsSick(nowMs: number): void {
    if (this.#isSuspended) return;
    this.#parts.lane.move();
    this.#resend(() => true, nowMs);
  }

  /** What is said over the current lane does not arrive. */
  laneIsMute(nowMs: number): void {
    if (this.#isSuspended || this.#window.size > 0) return; // the time-out finds out
    this.#parts.lane.avoid(nowMs);
    this.#parts.lane.move();
  }

  /** Does what is due. */
  check(nowMs: number): void {
    const { lane, options } = this.#parts;
    lane.checkDeadlines(nowMs);
    for (const batch of this.#window.settle(nowMs, options.holdMs)) {
      this.#settle(batch.settles, batch.records, "unknown");
    }
    const { oldest } = this.#window;
    if (oldest !== undefined && !this.#isSuspended && this.#retransmitMs(oldest) <= nowMs) this.#timedOut(nowMs);
    if (this.#prober.dueMs <= nowMs) this.#probe(nowMs);
    this.flush(nowMs);
  }

  /** Sends a batch without records. */
  sendEmpty(nowMs: number, { probe = 0 } = {}): void {
    this.#parts.lane.publish(this.#empty(nowMs, probe, 0), nowMs);
  }

  /** Answers a probe over the lane by which it came. */
  sendEcho(token: number, lane: number, nowMs: number): void {
    this.#parts.lane.publishOver(lane, this.#empty(nowMs, 0, token));
  }

  /** Settles everything. */
  close(): void {
    this.#turn.drain((_, settle) => this.#settle(settle === undefined ? [] : [settle], 1, "failed"));
    this.#waiting.clear();
    for (const batch of this.#window.settle(Number.POSITIVE_INFINITY, 0)) {
      this.#settle(batch.settles, batch.records, "unknown");
    }
    this.#window.acknowledge(this.#window.nextNumber - 1);
    this.#prober.stop();
    if (this.#isSuspended) this.#parts.counters.suspendedLinks--;
    this.#isSuspended = false;
    this.#count();
  }

  #notSent({ record: { class: recordClass, channel }, settle }: QueuedRecord, reason: OutReason): void {
    const isStored = recordClass === "durable";
    const isReplaced = reason === "replaced";
    if (channel !== undefined && !isReplaced && (isStored || recordClass === "live")) this.#loss.add(channel);
    this.#settle(settle === undefined ? [] : [settle], 1, isStored && isReplaced ? "unknown" : "failed");
  }

  #take(maxBytes: number): TakenRecords {
    if (!this.#waiting.isEmpty) return this.#waiting.take(maxBytes);
    return this.#turn.isEmpty ? nothing : this.#turn.take(maxBytes);
  }

  #send(taken: TakenRecords, nowMs: number): void {
    const { counters, lane, head, tail, onPublish } = this.#parts;
    const number = this.#window.nextNumber;
    const loss = this.#loss.take();
    const said = { ...tail(nowMs), probe: 0, echo: 0 };
    const { bytes, body } = encodeBatch(head(), number, taken.records, taken.bytes, loss, said);
    const batch: SentBatch = {
      number,
      body,
      records: taken.records.length,
      hasLoss: loss !== undefined,
      settles: taken.settles,
      firstSentMs: nowMs,
      lastSentMs: nowMs,
      sends: 1,
      carrier: undefined,
    };
    this.#window.add(batch);
    this.#sentBytes += taken.bytes;
    counters.batchesOut++;
    counters.bytesOut += bytes.length;
    if (loss !== undefined) counters.lossesOut++;
    onPublish(nowMs);
    batch.carrier = lane.publish(bytes, nowMs);
  }

  #sendAgain(batch: SentBatch, nowMs: number): void {
    const { counters, lane, tail, onPublish } = this.#parts;
    const bytes = encodeAgain(batch.body, { ...tail(nowMs), probe: 0, echo: 0 });
    batch.sends++;
    batch.lastSentMs = nowMs;
    counters.batchesRepeated++;
    counters.bytesRepeated += bytes.length;
    onPublish(nowMs);
    batch.carrier = lane.publish(bytes, nowMs);
  }

  #resendSuspects(nowMs: number): void {
    const suspectMs = this.#suspectMs;
    if (suspectMs === Number.NEGATIVE_INFINITY) return;
    this.#suspectMs = Number.NEGATIVE_INFINITY;
    this.#resend((batch) => batch.lastSentMs < suspectMs, nowMs);
  }

  #resend(chosen: (batch: SentBatch) => boolean, nowMs: number): void {
    for (const batch of this.#window.all()) if (chosen(batch)) this.#sendAgain(batch, nowMs);
  }

  #empty(nowMs: number, probe: number, echo: number): Uint8Array {
    const { counters, head, tail, onPublish } = this.#parts;
    const bytes = encodeAgain(head(), { ...tail(nowMs), probe, echo });
    counters.batchesOut++;
    counters.emptyBatchesOut++;
    counters.bytesOut += bytes.length;
    onPublish(nowMs);
    return bytes;
  }

  #retransmitMs(oldest: SentBatch): number {
    return Math.max(oldest.lastSentMs, this.#progressMs) + this.#roundTrip.timeoutMs;
  }

  /** Nothing is acknowledged: the oldest goes over another lane, and the rest when that has arrived, so that a peer that stands still is not flooded. */
  #timedOut(nowMs: number): void {
    this.#parts.counters.retransmitTimeouts++;
    this.#roundTrip.timedOut();
    this.#suspectMs = nowMs;
    this.#laneFailed("unanswered", nowMs);
    const { oldest } = this.#window;
    if (oldest !== undefined && !this.#isSuspended) this.#sendAgain(oldest, nowMs);
  }

  #laneFailed(reason: PublishFailure | "unanswered", nowMs: number): void {
    const { lane, options, log } = this.#parts;
    const from = lane.current;
    lane.avoid(nowMs);
    this.#failures++;
    if (this.#failures >= options.lanesBeforeSuspension) return this.#suspend(reason, nowMs);
    lane.move();
    log.debug("link moved", { from, to: lane.current, reason });
  }

  #suspend(reason: PublishFailure | "unanswered", nowMs: number): void {
    const { counters, log } = this.#parts;
    this.#isSuspended = true;
    this.#suspendedMs = nowMs;
    counters.suspensions++;
    counters.suspendedLinks++;
    log.warn("link suspended", { reason, unacknowledged: this.#window.size });
    this.#prober.start(nowMs, 0);
  }

  #resume(lane: number, nowMs: number): void {
    const { counters, log } = this.#parts;
    this.#isSuspended = false;
    this.#failures = 0;
    counters.suspendedLinks--;
    log.info("link resumed", { lane, afterMs: Math.round(nowMs - this.#suspendedMs) });
    this.#prober.stop();
    this.#roundTrip.progressed();
    this.#parts.lane.move(lane);
    this.#resend(() => true, nowMs);
  }

  #probe(nowMs: number): void {
    const { lane, options } = this.#parts;
    this.#prober.asked(nowMs);
    if (!this.#isSuspended) return this.sendEmpty(nowMs, { probe: this.#prober.token(lane.current) });
    for (const candidate of lane.candidates(options.lanesBeforeSuspension)) {
      lane.publishOver(candidate, this.#empty(nowMs, this.#prober.token(candidate), 0));
    }
  }

  /** Credit may have been granted, and its message lost: with nothing under way that will be answered, it has to be asked for. */
  #probeIfStarving(nowMs: number): void {
    if (this.#isSuspended) return;
    const isStarving = !this.#waiting.isEmpty && this.#window.size === 0;
    if (!isStarving) this.#prober.stop();
    else if (!this.#prober.isRunning) this.#prober.start(nowMs, this.#parts.options.minProbeMs);
  }

  #settle(settles: readonly Settle[], records: number, outcome: "delivered" | "failed" | "unknown"): void {
    const { counters, settlements } = this.#parts;
    if (outcome === "delivered") counters.recordsDelivered += records;
    else if (outcome === "failed") counters.recordsFailed += records;
    else counters.recordsUnknown += records;
    settlements.add(settles, outcome);
  }

  #count(): void {
    const { counters } = this.#parts;
    const waiting = this.#waiting.bytes;
    const unacknowledged = this.#window.bytes;
    counters.waitingBytes += waiting - this.#countedWaiting;
    counters.unacknowledgedBytes += unacknowledged - this.#countedUnacknowledged;
    this.#countedWaiting = waiting;
    this.#countedUnacknowledged = unacknowledged;
  }
}

const nothing: TakenRecords = { records: [], bytes: 0, settles: [] };
