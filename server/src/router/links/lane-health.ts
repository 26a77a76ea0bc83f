import type { Lanes } from "../../broker/lanes.ts";
import type { Clock } from "../../clock.ts";
import type { LinkCounters } from "../../observe/link-counters.ts";
import type { Log } from "../../observe/log.ts";
import { Alarm } from "./alarm.ts";

/** How a publish over a lane failed: the broker refused it, did not answer in time, or nobody received it. */
export type PublishFailure = "rejected" | "timed_out" | "unheard";

/** What {@link LaneHealth} needs. */
export interface LaneHealthParts {
  readonly lanes: Lanes;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly counters: LinkCounters;
  readonly publishTimeoutMs: number;
  /** Publishes to this node's own inbox. */
  readonly probe: (lane: number) => Promise<number>;
  readonly onSick: (lane: number) => void;
}

/** Between probes of a lane that is sick, in milliseconds, doubled each time. */
const minProbeMs = 200;
const maxProbeMs = 2_000;
/** Two peers that were not heard on a lane within this time, in milliseconds: it is the lane's fault. */
const unheardWindowMs = 1_000;
/** Lanes of a shard that are sick before all of them are. */
const sickLanesOfShard = 2;

interface Sickness {
  readonly sinceMs: number;
  readonly alarm: Alarm;
  intervalMs: number;
}

/**
 * Which lanes fail everybody on this node.
 *
 * | state | left by |
 * |---|---|
 * | well | a publish is rejected or times out; two peers are not heard within a second; two other lanes of the shard are sick -> sick |
 * | sick | a probe to the own inbox, or any other publish, was received in time -> well |
 *
 * A lane over which one peer is not heard is that peer's matter: its links avoid it.
 */
export class LaneHealth {
  readonly #parts: LaneHealthParts;
  readonly #sick = new Map<number, Sickness>();
  #isClosed = false;
  readonly #unheard = new Map<number, { peer: bigint; atMs: number }>();

  constructor(parts: LaneHealthParts) {
    this.#parts = parts;
  }

  isSick(lane: number): boolean {
    return this.#sick.has(lane);
  }

  /** A publish to a peer failed. */
  failed(lane: number, failure: PublishFailure, peer: bigint, nowMs: number): void {
    if (failure === "unheard" && !this.#isUnheardByTwo(lane, peer, nowMs)) return;
    this.#sicken(lane, failure, nowMs);
    const shard = this.#parts.lanes.shardOf(lane);
    const others = this.#lanesOf(shard);
    if (others.filter((other) => this.isSick(other)).length < sickLanesOfShard) return;
    for (const other of others) this.#sicken(other, "shard", nowMs);
  }

  /** A publish over the lane was received in time. */
  worked(lane: number): void {
    if (this.#unheard.size > 0) this.#unheard.delete(lane);
    const sickness = this.#sick.get(lane);
    if (sickness === undefined) return;
    sickness.alarm.set(Number.POSITIVE_INFINITY);
    this.#sick.delete(lane);
    const { counters, log, clock, lanes } = this.#parts;
    counters.sickLanes--;
    log.info("lane is well again", {
      lane,
      shard: lanes.shardOf(lane),
      afterMs: Math.round(clock.monotonicMs() - sickness.sinceMs),
    });
  }

  /** Leaves no timer, and hears of no failure any more. */
  close(): void {
    this.#isClosed = true;
    for (const { alarm } of this.#sick.values()) alarm.set(Number.POSITIVE_INFINITY);
    this.#parts.counters.sickLanes -= this.#sick.size;
    this.#sick.clear();
  }

  #sicken(lane: number, reason: PublishFailure | "shard", nowMs: number): void {
    if (this.#isClosed || this.isSick(lane)) return;
    const { clock, counters, log, lanes, onSick } = this.#parts;
    const sickness: Sickness = {
      sinceMs: nowMs,
      alarm: new Alarm(clock, (atMs) => this.#probe(lane, sickness, atMs)),
      intervalMs: minProbeMs,
    };
    this.#sick.set(lane, sickness);
    counters.sickLanes++;
    log.warn("lane is sick", { lane, shard: lanes.shardOf(lane), reason });
    this.#probeLater(sickness, nowMs);
    onSick(lane);
  }

  #probeLater(sickness: Sickness, nowMs: number): void {
    sickness.alarm.set(nowMs + sickness.intervalMs * (0.75 + this.#parts.random() / 2));
    sickness.intervalMs = Math.min(maxProbeMs, sickness.intervalMs * 2);
  }

  #probe(lane: number, sickness: Sickness, nowMs: number): void {
    const { clock, publishTimeoutMs } = this.#parts;
    this.#probeLater(sickness, nowMs);
    this.#parts.probe(lane).then(
      (receivers) => {
        const isInTime = clock.monotonicMs() - nowMs < publishTimeoutMs;
        if (receivers > 0 && isInTime && this.#sick.get(lane) === sickness) this.worked(lane);
      },
      () => {}, // the next one is on its way
    );
  }

  #isUnheardByTwo(lane: number, peer: bigint, nowMs: number): boolean {
    const last = this.#unheard.get(lane);
    this.#unheard.set(lane, { peer, atMs: nowMs });
    return last !== undefined && last.peer !== peer && nowMs - last.atMs <= unheardWindowMs;
  }

  #lanesOf(shard: string): number[] {
    const { lanes } = this.#parts;
    if (shard === "") return [];
    return Array.from({ length: lanes.count }, (_, lane) => lane).filter((lane) => lanes.shardOf(lane) === shard);
  }
}
