import type { LinkCounters } from "../../observe/link-counters.ts";
import type { Log } from "../../observe/log.ts";
import type { BatchSender } from "./batch-sender.ts";
import type { PublishFailure } from "./lane-health.ts";
import type { LinkLane } from "./link-lane.ts";
import { initialCreditBytes, type ResolvedLinkOptions } from "./link-options.ts";
import type { LinkOutcome, LinkRecord } from "./link-port.ts";
import { LinkProber } from "./link-prober.ts";
import { nothing, OutboundRecords } from "./outbound-records.ts";
import { RoundTrip } from "./round-trip.ts";
import { isOnlyShared, SendWindow, type SentBatch } from "./send-window.ts";
import type { Settle, Settlements } from "./settlements.ts";
import { SharedStanding } from "./shared/shared-standing.ts";
import type { TakenRecords } from "./waiting-records.ts";

/** What an {@link OutboundLink} needs. */
export interface OutboundParts {
  readonly options: ResolvedLinkOptions;
  readonly counters: LinkCounters;
  readonly log: Log;
  readonly settlements: Settlements;
  readonly random: () => number;
  readonly lane: LinkLane;
  readonly sender: BatchSender;
  /** A batch that went to several at once has not reached this peer. */
  readonly onSharedLost: (nowMs: number) => void;
}

/** How soon a suspended link asks again when it hears of its peer, in milliseconds. */
const hurriedProbeMs = 50;
/** With so many publishes under way for each batch, nothing is sent again because a lane fails: where answers come late and say no, each would make more. */
const maxUnderWay = 4;
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
  /** What is known of the peer and of what goes to several at once. */
  readonly standing: SharedStanding;
  readonly #parts: OutboundParts;
  readonly #records: OutboundRecords;
  readonly #window = new SendWindow();
  readonly #roundTrip: RoundTrip;
  readonly #prober: LinkProber;
  #peerHasLeft = false;
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
    this.standing = new SharedStanding(options.minAvoidMs, options.maxAvoidMs);
    this.#records = new OutboundRecords(options, (settle, outcome) =>
      this.#settle(settle === undefined ? [] : [settle], 1, outcome),
    );
    this.#roundTrip = new RoundTrip(options.minRetransmitMs, options.maxRetransmitMs);
    this.#prober = new LinkProber(options.minProbeMs, options.maxProbeMs, random);
  }

  /** Nothing is on its way and nothing waits. */
  get isIdle(): boolean {
    return this.#window.size === 0 && this.#records.isEmpty;
  }

  /** Records wait to be sent, or a loss to be told. */
  get hasWork(): boolean {
    return !this.#records.isEmpty;
  }

  /** Records of this turn wait to be sent, whatever else is. */
  get hasTurn(): boolean {
    return this.#records.hasTurn;
  }

  /** What is added has to wait for what is about to go to several at once. */
  get isHeldBack(): boolean {
    return this.#records.isHeldBack;
  }

  /** When something has to be done if nothing happens; Infinity: nothing has. */
  get deadlineMs(): number {
    const { holdMs } = this.#parts.options;
    const { oldest, oldestUnsettledMs = Number.POSITIVE_INFINITY } = this.#window;
    return Math.min(
      this.#parts.lane.deadlineMs,
      this.#prober.dueMs,
      this.#records.expiresMs,
      oldestUnsettledMs + holdMs,
      oldest === undefined || this.#isSuspended ? Number.POSITIVE_INFINITY : this.#retransmitMs(oldest),
    );
  }

  /** Takes a record. True: there is a batch full of them, and no need to wait for more. */
  add(record: LinkRecord, settle: Settle | undefined): boolean {
    this.#records.add(record, settle);
    return this.#records.turnBytes >= this.#parts.options.maxBatchBytes;
  }

  /** From now on what is added waits for {@link letGo}, because it must not overtake. */
  holdBack(): void {
    this.#records.holdBack();
  }

  /** What waits behind may be sent; before it, these. */
  letGo(between: readonly LinkRecord[] = [], settles: readonly (Settle | undefined)[] = []): void {
    this.#records.letGo(between, settles);
  }

  /** Whether records that go to several at once could go to this peer with them, next: there is credit and room, and nothing that stands before them. */
  canShare(bytes: number, nowMs: number): boolean {
    const { maxUnacknowledged, maxBatchBytes } = this.#parts.options;
    const { turnBytes, isWaiting, hasLoss } = this.#records;
    if (this.#isSuspended || isWaiting || hasLoss || this.standing.isAvoided(nowMs)) return false;
    const most = 2 + 2 * Math.ceil(turnBytes / maxBatchBytes);
    return this.#creditBytes - this.#sentBytes >= turnBytes + bytes && this.#window.size + most <= maxUnacknowledged;
  }

  /** So many bytes go to several at once, and this peer hears them without having part in it. */
  overdraw(bytes: number): void {
    this.standing.overdraw(bytes, this.#window.nextNumber);
  }

  /**
   * Records go to several at once, and to this peer with them.
   * @param isElsewhere it hears them, and they are not for it
   * @returns the number that they have on this link
   */
  share(taken: TakenRecords, isElsewhere: boolean, nowMs: number): number {
    const { nextNumber } = this.#window;
    this.#sentBytes += taken.bytes;
    this.#window.add(this.#parts.sender.share(nextNumber, taken, isElsewhere ? taken.bytes : 0, nowMs));
    this.#count();
    return nextNumber;
  }

  /** What has gone to several at once goes over this link too, because it was lost on the way. */
  resendShared(nowMs: number): void {
    if (!this.#isSuspended) this.#resend(isOnlyShared, nowMs);
  }

  /** Sends what can be sent, and holds what cannot. */
  flush(nowMs: number): void {
    const { maxUnacknowledged, maxBatchBytes } = this.#parts.options;
    if (this.#window.size === 0) this.#goHome();
    this.#records.expire(nowMs);
    while (!this.#isSuspended && this.#window.size < maxUnacknowledged) {
      const creditBytes = this.#creditBytes - this.#sentBytes;
      const taken = creditBytes > 0 ? this.#records.take(Math.min(maxBatchBytes, creditBytes)) : nothing;
      // One loss without records at a time: what is lost meanwhile goes into the next one.
      if (taken.records.length === 0 && (!this.#records.hasLoss || this.#window.hasLoss)) break;
      this.#send(taken, nowMs);
    }
    this.#records.hold(nowMs);
    this.#probeIfStarving(nowMs);
    this.#count();
  }

  /** The peer has every batch up to this number. */
  acknowledged(number: number, nowMs: number): void {
    const done = this.#window.acknowledge(number);
    if (done.length === 0) return;
    this.standing.acknowledged(number);
    let isProof = false;
    for (const { batch, wasSettled } of done) {
      if (isOnlyShared(batch)) this.standing.proved();
      else isProof = true;
      if (batch.sends === 1) this.#roundTrip.measured(nowMs - batch.lastSentMs);
      if (!wasSettled) this.#settle(batch.settles, batch.records, "delivered");
    }
    this.#progressMs = nowMs;
    this.#roundTrip.progressed();
    if (!this.#isSuspended) {
      this.#failures = 0;
      if (isProof) this.#parts.lane.proved();
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
    const asked = numbers.flatMap((number) => this.#window.at(number) ?? []);
    const isDue = ({ lastSentMs }: SentBatch) => lastSentMs <= nowMs - resendGuardMs;
    if (asked.some((batch) => isDue(batch) && isOnlyShared(batch))) this.#parts.onSharedLost(nowMs);
    for (const batch of asked) if (isDue(batch)) this.#parts.sender.sendAgain(batch, nowMs);
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

  /**
   * A publish failed, over the current lane or one that the link has left since.
   * @returns whether to say again what was said with it
   */
  publishFailed(failure: PublishFailure, isCurrent: boolean, nowMs: number): boolean {
    if (isCurrent && !this.#isSuspended) {
      this.#laneFailed(failure, nowMs);
      if (!this.#isSuspended) this.#resend(() => true, nowMs);
    }
    return this.#window.size === 0 && !this.#isSuspended;
  }

  /** The current lane fails everybody. */
  laneIsSick(nowMs: number): void {
    if (this.#isSuspended) return;
    this.#move("sick");
    this.#resend(() => true, nowMs);
  }

  /** What is said over the current lane does not arrive. */
  laneIsMute(nowMs: number): void {
    if (this.#isSuspended || this.#window.size > 0) return; // the time-out finds out
    this.#parts.lane.avoid(nowMs);
    this.#move("mute");
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

  /** Settles everything. */
  close(peerHasLeft: boolean): void {
    this.#peerHasLeft = peerHasLeft;
    this.#records.close();
    for (const batch of this.#window.settle(Number.POSITIVE_INFINITY, 0)) {
      this.#settle(batch.settles, batch.records, "unknown");
    }
    this.#window.acknowledge(this.#window.nextNumber - 1);
    this.#prober.stop();
    if (this.#isSuspended) this.#parts.counters.suspendedLinks--;
    this.#isSuspended = false;
    this.#count();
  }

  #send(taken: TakenRecords, nowMs: number): void {
    this.#sentBytes += taken.bytes;
    const loss = this.#records.takeLoss();
    this.#window.add(this.#parts.sender.send(this.#window.nextNumber, taken, loss, nowMs));
  }

  #resendSuspects(nowMs: number): void {
    const suspectMs = this.#suspectMs;
    if (suspectMs === Number.NEGATIVE_INFINITY) return;
    this.#suspectMs = Number.NEGATIVE_INFINITY;
    this.#resend((batch) => batch.lastSentMs < suspectMs, nowMs);
  }

  #resend(chosen: (batch: SentBatch) => boolean, nowMs: number): void {
    if (this.#parts.lane.underWay > maxUnderWay * this.#window.size) return; // time-outs do it
    for (const batch of this.#window.all()) if (chosen(batch)) this.#parts.sender.sendAgain(batch, nowMs);
  }

  #retransmitMs(oldest: SentBatch): number {
    return Math.max(oldest.lastSentMs, this.#progressMs) + this.#roundTrip.timeoutMs;
  }

  /** Nothing is acknowledged: the oldest goes over another lane, and the rest when that has arrived, so that a peer that stands still is not flooded. */
  #timedOut(nowMs: number): void {
    this.#parts.counters.retransmitTimeouts++;
    this.#roundTrip.timedOut();
    this.#suspectMs = nowMs;
    const { oldest } = this.#window;
    if (oldest !== undefined && isOnlyShared(oldest)) this.#parts.onSharedLost(nowMs);
    else this.#laneFailed("unanswered", nowMs);
    if (oldest !== undefined && !this.#isSuspended && oldest.lastSentMs < nowMs) {
      this.#parts.sender.sendAgain(oldest, nowMs);
    }
  }

  #laneFailed(reason: PublishFailure | "unanswered", nowMs: number): void {
    this.#parts.lane.avoid(nowMs);
    this.#failures++;
    if (this.#failures >= this.#parts.options.lanesBeforeSuspension) this.#suspend(reason, nowMs);
    else this.#move(reason);
  }

  #move(reason: PublishFailure | "unanswered" | "sick" | "mute"): void {
    const { lane, log } = this.#parts;
    const from = lane.current;
    lane.move();
    log.info("link moved to another lane", { from, to: lane.current, reason });
  }

  #goHome(): void {
    const { lane, log } = this.#parts;
    if (lane.goHome()) log.info("link is back on its lane", { lane: lane.current });
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
    const { lane, options, sender } = this.#parts;
    this.#prober.asked(nowMs);
    if (!this.#isSuspended) return sender.sendEmpty(nowMs, this.#prober.token(lane.current));
    for (const candidate of lane.candidates(options.lanesBeforeSuspension)) {
      sender.sendEmptyOver(candidate, nowMs, { probe: this.#prober.token(candidate) });
    }
  }

  /** Credit may have been granted, and its message lost: with nothing under way that will be answered, it has to be asked for. */
  #probeIfStarving(nowMs: number): void {
    if (this.#isSuspended) return;
    const isStarving = this.#records.isWaiting && this.#window.size === 0;
    if (!isStarving) this.#prober.stop();
    else if (!this.#prober.isRunning) this.#prober.start(nowMs, this.#parts.options.minProbeMs);
  }

  #settle(settles: readonly Settle[], records: number, became: LinkOutcome): void {
    const { counters, settlements } = this.#parts;
    // Who has left in order had nobody any more whom the record could have reached.
    const outcome = this.#peerHasLeft ? "delivered" : became;
    if (outcome === "delivered") counters.recordsDelivered += records;
    else if (outcome === "failed") counters.recordsFailed += records;
    else counters.recordsUnknown += records;
    settlements.add(settles, outcome);
  }

  #count(): void {
    const { counters } = this.#parts;
    const waiting = this.#records.waitingBytes;
    const unacknowledged = this.#window.bytes;
    counters.waitingBytes += waiting - this.#countedWaiting;
    counters.unacknowledgedBytes += unacknowledged - this.#countedUnacknowledged;
    this.#countedWaiting = waiting;
    this.#countedUnacknowledged = unacknowledged;
  }
}
