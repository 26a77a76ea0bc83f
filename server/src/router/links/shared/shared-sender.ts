import { everybody } from "../../../broker/lanes.ts";
import { Alarm } from "../alarm.ts";
import { recordCost } from "../batch.ts";
import { encodeHead, encodeShared } from "../batch-encoding.ts";
import type { Flushable } from "../flush-pacer.ts";
import { LinkLane } from "../link-lane.ts";
import type { LinkRecord } from "../link-port.ts";
import type { LinkContext, PeerLink } from "../peer-link.ts";
import type { Settle } from "../settlements.ts";
import { SharedEcho } from "./shared-echo.ts";

/** The revision of the cluster protocol that has lanes to which all listen. */
export const sharedRevision = 2;

/** Records for the same peers, which nothing else may come between. */
interface Turn {
  readonly targets: readonly PeerLink[];
  readonly records: LinkRecord[];
  /** Of each target, for each record. */
  readonly settles: (Settle | undefined)[][];
  /** What the records count against credit. */
  bytes: number;
  /** Something for one of the targets has come behind them. */
  isClosed: boolean;
}

/** What a {@link SharedSender} needs. */
export interface SharedSenderParts {
  readonly context: Omit<LinkContext, "shared">;
  /** All peers that may listen to what goes to all. */
  readonly listeners: () => Iterable<PeerLink>;
}

/** A lane that was not heard by two peers within this time is left, in milliseconds. */
const lostWindowMs = 1_000;

/**
 * Sends what is for many peers once, over a lane to which all listen: one batch that is, to each of them, the next batch of its own link. It is acknowledged
 * there, and sent again there if it has to be.
 *
 * | what happens | what is done |
 * |---|---|
 * | records for many peers come within a turn, nothing between them | they wait for each other, as those of a link do; what comes for one of the peers waits behind them |
 * | the turn ends, and it pays | published once, if every listener takes it on its credit, or its overdraft; else to each over its link |
 * | a listener is not among the peers | it gets the number without the records, so that they count |
 * | a listener cannot take it: suspended, without credit, does not hear | it gets its own over its link, or waits; what it hears all the same is its overdraft |
 * | publishing fails | another lane; who has not acknowledged it gets it over its link |
 * | one peer has not heard it twice | it gets its own for a while |
 * | two peers have not heard it within a second | another lane |
 */
export class SharedSender implements Flushable {
  readonly #parts: SharedSenderParts;
  readonly #lane: LinkLane;
  readonly #watch: Alarm;
  readonly #head: Uint8Array;
  readonly #echo = new SharedEcho();
  #turn: Turn | undefined;
  #lost: { readonly peer: PeerLink; readonly atMs: number } | undefined;

  constructor(parts: SharedSenderParts) {
    this.#parts = parts;
    const { context } = parts;
    this.#head = encodeHead(sharedRevision, context.self, everybody);
    this.#watch = new Alarm(context.clock, (nowMs) => this.#check(nowMs), { isPatient: true });
    this.#lane = new LinkLane({
      ...context,
      peer: everybody,
      home: Math.floor(context.random() * context.lanes.count),
      onFailed: (_, isCurrent, nowMs) => {
        if (isCurrent) this.#leaveLane(nowMs, { isAvoided: true });
        this.#watchAgain();
      },
      onQuiet: () => this.#watchAgain(),
    });
  }

  /** Takes a record for peers that listen. @param settles of each of them; none: nobody wants to know */
  send(targets: readonly PeerLink[], record: LinkRecord, settles: readonly (Settle | undefined)[]): void {
    const { options, pacer, clock } = this.#parts.context;
    const cost = recordCost(record.bytes.length);
    let turn = this.#turn;
    if (turn !== undefined && !this.#fits(turn, targets, cost)) {
      if (turn.isClosed && cost < options.sharedBytes) {
        // Another publish for all is not worth it: it shares the batches of what is behind.
        for (const [index, target] of targets.entries()) target.send(record, settles[index]);
        return;
      }
      this.flush(clock.monotonicMs());
      turn = undefined;
    }
    turn ??= this.#begin(targets);
    turn.records.push(record);
    turn.bytes += cost;
    for (const [index, ofTarget] of turn.settles.entries()) ofTarget.push(settles[index]);
    if (turn.bytes >= options.maxBatchBytes) this.flush(clock.monotonicMs());
    else pacer.add(this);
  }

  /** Something has come behind what waits. */
  close(): void {
    if (this.#turn !== undefined) this.#turn.isClosed = true;
  }

  /** Sends what waits: to all at once, or to each. */
  flush(nowMs: number): void {
    const turn = this.#turn;
    if (turn === undefined) return;
    this.#turn = undefined;
    if (this.#pays(turn)) this.#publish(turn, nowMs);
    for (const [index, target] of turn.targets.entries()) {
      if (target.isHeldBack) target.letGo(turn.records, turn.settles[index]);
      target.flush(nowMs);
    }
    this.#watchAgain();
  }

  /** Something that this node has published to all has come back. */
  heard(number: number): void {
    this.#echo.heard(number);
  }

  /** A peer has not got what went to all. */
  lost(peer: PeerLink, nowMs: number): void {
    const last = this.#lost;
    this.#lost = { peer, atMs: nowMs };
    if (last !== undefined && last.peer !== peer && nowMs - last.atMs <= lostWindowMs) {
      this.#leaveLane(nowMs, { isAvoided: true });
    }
  }

  /** A lane fails everybody. */
  laneIsSick(lane: number, nowMs: number): void {
    const isUsed = this.#lane.deadlineMs !== Number.POSITIVE_INFINITY;
    if (isUsed && this.#lane.current === lane) this.#leaveLane(nowMs, { isAvoided: false });
  }

  /** What waits goes to each over its link. */
  giveUp(): void {
    const turn = this.#turn;
    this.#turn = undefined;
    for (const [index, target] of turn?.targets.entries() ?? []) target.letGo(turn?.records, turn?.settles[index]);
  }

  /** Leaves no timer. */
  [Symbol.dispose](): void {
    this.giveUp();
    this.#lane.close();
    this.#watch.set(Number.POSITIVE_INFINITY);
  }

  #begin(targets: readonly PeerLink[]): Turn {
    const turn = { targets, records: [], settles: targets.map(() => []), bytes: 0, isClosed: false };
    for (const target of targets) target.holdBack();
    this.#turn = turn;
    return turn;
  }

  /** Whether a record can go with those that wait. Where it cannot because of whom it is for, the turn is closed. */
  #fits(turn: Turn, targets: readonly PeerLink[], cost: number): boolean {
    const isForSame =
      targets.length === turn.targets.length && targets.every((target, index) => target === turn.targets[index]);
    if (!isForSame) turn.isClosed = true;
    return !turn.isClosed && turn.bytes + cost <= this.#parts.context.options.maxBatchBytes;
  }

  /** It takes many publishes to reach each, or many bytes: who is sent something in this turn anyway takes none more. */
  #pays({ targets, bytes }: Turn): boolean {
    const { sharedPeers, sharedBytes } = this.#parts.context.options;
    return bytes >= sharedBytes || targets.filter(({ hasTurn }) => !hasTurn).length >= sharedPeers;
  }

  #publish(turn: Turn, nowMs: number): void {
    const { context, listeners } = this.#parts;
    const { counters, pacer, health, options } = context;
    const able: PeerLink[] = [];
    const others: PeerLink[] = [];
    for (const link of listeners()) (link.canShare(turn.bytes, nowMs) ? able : others).push(link);
    const targets = new Map(turn.targets.map((target, index) => [target, turn.settles[index]]));
    const overdraftBytes = options.maxOverdraftBytes / (able.length + others.length);
    if (health.isSick(this.#lane.current)) this.#lane.move();
    if (
      able.filter((link) => targets.has(link)).length < options.sharedPeers ||
      others.some((link) => link.overdraftBytes + turn.bytes > overdraftBytes) ||
      this.#echo.unheardBytes(nowMs) + turn.bytes > options.maxOverdraftBytes ||
      health.isSick(this.#lane.current)
    ) {
      counters.sharedRefused++;
      return;
    }
    if (this.#lane.deadlineMs === Number.POSITIVE_INFINITY) this.#goHome();
    for (const link of others) link.overdraw(turn.bytes);
    const sharedBy = able.map((link) => {
      const settles = targets.get(link);
      const part = link.share({ records: turn.records, bytes: turn.bytes, settles: known(settles) }, nowMs, {
        isElsewhere: settles === undefined,
      });
      if (settles !== undefined) link.letGo();
      return part;
    });
    const bytes = encodeShared(this.#head, this.#echo.nextNumber, turn.records, turn.bytes, sharedBy);
    counters.batchesOut++;
    counters.sharedOut++;
    counters.sharedRecordsOut += turn.records.length;
    counters.bytesOut += bytes.length;
    pacer.charge(nowMs);
    this.#echo.published(bytes.length, nowMs);
    this.#lane.publish(bytes, nowMs);
  }

  #goHome(): void {
    const { log } = this.#parts.context;
    if (this.#lane.goHome()) log.info("what is for many nodes goes over its lane again", { lane: this.#lane.current });
  }

  #leaveLane(nowMs: number, { isAvoided }: { isAvoided: boolean }): void {
    const from = this.#lane.current;
    this.#lost = undefined;
    if (isAvoided) this.#lane.avoid(nowMs);
    this.#lane.move();
    this.#parts.context.log.info("what is for many nodes goes over another lane", { from, to: this.#lane.current });
    for (const link of this.#parts.listeners()) link.sharedLaneLeft(nowMs);
  }

  #check(nowMs: number): void {
    this.#lane.checkDeadlines(nowMs);
    this.#watchAgain();
  }

  #watchAgain(): void {
    this.#watch.set(this.#lane.deadlineMs);
  }
}

function known(settles: readonly (Settle | undefined)[] = []): Settle[] {
  return settles.filter((settle) => settle !== undefined);
}
