import type { Lanes } from "../../broker/lanes.ts";
import type { Clock } from "../../clock.ts";
import type { LinkCounters } from "../../observe/link-counters.ts";
import type { Log } from "../../observe/log.ts";
import { Alarm } from "./alarm.ts";
import type { DecodedBatch } from "./batch.ts";
import type { SharedBy } from "./batch-encoding.ts";
import { BatchSender } from "./batch-sender.ts";
import type { CreditPool } from "./credit.ts";
import type { FlushPacer } from "./flush-pacer.ts";
import { InboundLink } from "./inbound-link.ts";
import type { LaneHealth } from "./lane-health.ts";
import { LinkLane } from "./link-lane.ts";
import type { ResolvedLinkOptions } from "./link-options.ts";
import type { LinkReceiver, LinkRecord } from "./link-port.ts";
import { OutboundLink } from "./outbound-link.ts";
import type { Settle, Settlements } from "./settlements.ts";
import { type SharedSender, sharedRevision } from "./shared/shared-sender.ts";
import type { TakenRecords } from "./waiting-records.ts";

/** What all links of a node share. */
export interface LinkContext {
  readonly self: bigint;
  readonly lanes: Lanes;
  readonly health: LaneHealth;
  readonly receiver: LinkReceiver;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly counters: LinkCounters;
  readonly options: ResolvedLinkOptions;
  readonly pacer: FlushPacer;
  readonly settlements: Settlements;
  readonly credit: CreditPool;
  readonly shared: SharedSender;
}

/** Both directions of the link with one peer, and their timers. */
export class PeerLink {
  readonly #context: LinkContext;
  readonly #lane: LinkLane;
  readonly #outbound: OutboundLink;
  readonly #inbound: InboundLink;
  readonly #watch: Alarm;
  readonly #tell: Alarm;
  readonly #sender: BatchSender;
  readonly #peer: bigint;
  #heardAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(context: LinkContext, peer: bigint, home: number) {
    this.#context = context;
    this.#peer = peer;
    const { clock, options, counters, receiver, random, settlements, self } = context;
    const log = context.log.child({ peer: peer.toString(16) });
    this.#watch = new Alarm(clock, (nowMs) => this.#check(nowMs), { isPatient: true });
    this.#tell = new Alarm(clock, (nowMs) => this.flush(nowMs));
    this.#lane = new LinkLane({
      ...context,
      peer,
      home,
      onFailed: (failure, isCurrent, nowMs) => {
        if (this.#outbound.publishFailed(failure, isCurrent, nowMs)) this.#inbound.tellAgain(nowMs);
        this.#watchAgain();
      },
      onQuiet: () => this.#watchAgain(),
    });
    this.#inbound = new InboundLink({
      options,
      counters,
      log,
      receiver,
      peer,
      account: context.credit.open(),
      monotonicMs: () => clock.monotonicMs(),
      onDue: () => this.#tellSoon(),
      onUnheard: (nowMs) => this.#outbound.laneIsMute(nowMs),
    });
    this.#sender = new BatchSender({
      self,
      peer,
      minRevision: options.minRevision,
      maxRevision: options.maxRevision,
      counters,
      lane: this.#lane,
      tail: (nowMs) => this.#inbound.tail(nowMs),
      onPublish: (nowMs) => context.pacer.charge(nowMs),
    });
    this.#outbound = new OutboundLink({
      options,
      counters,
      log,
      settlements,
      random,
      lane: this.#lane,
      sender: this.#sender,
      onSharedLost: (nowMs) => {
        this.#outbound.standing.lost(nowMs);
        context.shared.lost(this, nowMs);
      },
    });
  }

  /** When something of the peer came in last, by the monotonic clock. */
  get heardAtMs(): number {
    return this.#heardAtMs;
  }

  /** Nothing is on its way and nothing waits. */
  get isIdle(): boolean {
    return this.#outbound.isIdle;
  }

  /** Speaks the highest revision that both understand. */
  understands(revision: number): void {
    this.#sender.understands(revision);
  }

  send(record: LinkRecord, settle: Settle | undefined): void {
    if (this.#outbound.isHeldBack) this.#context.shared.close();
    if (this.#outbound.add(record, settle)) this.flush(this.#context.clock.monotonicMs());
    else this.#context.pacer.add(this);
  }

  /** Sends what is there to send and to say. */
  flush(nowMs: number): void {
    if (this.#isClosed) return;
    if (this.#outbound.isHeldBack) return this.#context.shared.flush(nowMs);
    this.#outbound.flush(nowMs);
    if (this.#inbound.tellDueMs <= nowMs) this.#sender.sendEmpty(nowMs, 0);
    this.#tell.set(this.#inbound.tellDueMs);
    this.#watchAgain();
  }

  /** The peer hears what goes to several at once. */
  get isListener(): boolean {
    return this.#sender.revision >= sharedRevision;
  }

  /** Something is about to be sent to the peer, whatever else is. */
  get hasTurn(): boolean {
    return this.#outbound.hasTurn;
  }

  /** See {@link OutboundLink.isHeldBack}. */
  get isHeldBack(): boolean {
    return this.#outbound.isHeldBack;
  }

  /** See {@link SharedStanding.overdraftBytes}. */
  get overdraftBytes(): number {
    return this.#outbound.standing.overdraftBytes;
  }

  /** See {@link OutboundLink.holdBack}. */
  holdBack(): void {
    this.#outbound.holdBack();
  }

  /** See {@link OutboundLink.letGo}. */
  letGo(between?: readonly LinkRecord[], settles?: readonly (Settle | undefined)[]): void {
    this.#outbound.letGo(between, settles);
    this.#context.pacer.add(this);
  }

  /** See {@link OutboundLink.canShare}. */
  canShare(bytes: number, nowMs: number): boolean {
    return this.#outbound.canShare(bytes, nowMs);
  }

  /** See {@link OutboundLink.overdraw}. */
  overdraw(bytes: number): void {
    this.#outbound.overdraw(bytes);
  }

  /** Records go to several at once, behind what is there to send. @returns what is said with them to this peer */
  share(taken: TakenRecords, nowMs: number, { isElsewhere }: { readonly isElsewhere: boolean }): SharedBy {
    this.#outbound.flush(nowMs);
    const number = this.#outbound.share(taken, isElsewhere, nowMs);
    const tail = this.#inbound.hasNews ? { ...this.#inbound.tail(nowMs), probe: 0, echo: 0 } : undefined;
    this.#watchAgain();
    return { to: this.#peer, number, tail, elsewhere: isElsewhere ? taken.bytes : 0 };
  }

  /** What went to several at once over the lane that is left goes over this link, too. */
  sharedLaneLeft(nowMs: number): void {
    if (this.#isClosed) return;
    this.#outbound.standing.forgive();
    this.#outbound.resendShared(nowMs);
    this.#watchAgain();
  }

  /** Takes a batch of the peer. */
  receive(batch: DecodedBatch, lane: number, nowMs: number): void {
    this.#heardAtMs = nowMs;
    this.#sender.understands(batch.revision);
    this.#outbound.heard(nowMs);
    this.#outbound.credited(batch.credit);
    this.#outbound.acknowledged(batch.acknowledged, nowMs);
    if (batch.missing.length > 0) this.#outbound.missing(batch.missing, nowMs);
    if (batch.echo !== 0) this.#outbound.answered(batch.echo, nowMs);
    if (batch.number !== 0) this.#inbound.receive(batch, lane, nowMs);
    if (this.#isClosed) return;
    if (batch.probe !== 0) this.#sender.sendEmptyOver(lane, nowMs, { echo: batch.probe });
    if (this.#outbound.hasWork) this.#context.pacer.add(this);
    this.#watchAgain();
  }

  /** A lane fails everybody. */
  laneIsSick(lane: number, nowMs: number): void {
    if (this.#isClosed || this.#lane.current !== lane) return;
    this.#outbound.laneIsSick(nowMs);
    this.#watchAgain();
  }

  /** Ends both directions; everything is settled. */
  close(peerHasLeft = false): void {
    this.#isClosed = true;
    this.#inbound.close();
    this.#outbound.close(peerHasLeft);
    this.#lane.close();
    this.#watch.set(Number.POSITIVE_INFINITY);
    this.#tell.set(Number.POSITIVE_INFINITY);
  }

  #check(nowMs: number): void {
    this.#outbound.check(nowMs);
    this.#watchAgain();
  }

  #tellSoon(): void {
    const dueMs = this.#inbound.tellDueMs;
    if (dueMs <= this.#context.clock.monotonicMs()) this.#context.pacer.add(this);
    else this.#tell.set(dueMs);
  }

  #watchAgain(): void {
    if (!this.#isClosed) this.#watch.set(this.#outbound.deadlineMs);
  }
}
