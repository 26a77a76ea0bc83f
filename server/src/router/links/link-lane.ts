import type { Lanes } from "../../broker/lanes.ts";
import type { Clock } from "../../clock.ts";
import type { LinkCounters } from "../../observe/link-counters.ts";
import { chooseLanes, type LaneSurvey } from "./lane-choice.ts";
import type { LaneHealth, PublishFailure } from "./lane-health.ts";
import type { ResolvedLinkOptions } from "./link-options.ts";

/** One publish. */
interface Carrier {
  readonly lane: number;
  /** Which stay on a lane it belongs to. */
  readonly stay: number;
  readonly startedMs: number;
  isOver: boolean;
}

/** What a {@link LinkLane} needs. */
export interface LinkLaneParts {
  readonly lanes: Lanes;
  readonly health: LaneHealth;
  readonly clock: Clock;
  readonly random: () => number;
  readonly options: ResolvedLinkOptions;
  readonly counters: LinkCounters;
  readonly peer: bigint;
  /** The lane it is on when nothing is wrong. */
  readonly home: number;
  /** A publish failed. `isCurrent`: it belongs to the stay that has not ended. */
  readonly onFailed: (failure: PublishFailure, isCurrent: boolean, nowMs: number) => void;
  /** A publish was received by somebody; nothing is under way any more. */
  readonly onQuiet: () => void;
}

/** The lane that a link is on, its publishes under way, and the lanes that have failed it. */
export class LinkLane {
  readonly #parts: LinkLaneParts;
  readonly #survey: LaneSurvey;
  readonly #avoided = new Map<number, { untilMs: number; forMs: number }>();
  #current: number;
  #stay = 0;
  #underWay: Carrier[] = [];

  constructor(parts: LinkLaneParts) {
    this.#parts = parts;
    this.#current = parts.home;
    const { lanes, health, clock } = parts;
    this.#survey = {
      count: lanes.count,
      shardOf: (lane) => lanes.shardOf(lane),
      isSick: (lane) => health.isSick(lane),
      isAvoided: (lane) => (this.#avoided.get(lane)?.untilMs ?? 0) > clock.monotonicMs(),
    };
  }

  get current(): number {
    return this.#current;
  }

  /** Publishes under way. */
  get underWay(): number {
    return this.#underWay.length;
  }

  /** When the oldest publish under way is too late; Infinity: none is under way. */
  get deadlineMs(): number {
    const oldest = this.#underWay[0];
    return oldest === undefined ? Number.POSITIVE_INFINITY : oldest.startedMs + this.#parts.options.publishTimeoutMs;
  }

  /** Publishes over the current lane, and watches it. */
  publish(bytes: Uint8Array, nowMs: number): void {
    const carrier: Carrier = { lane: this.#current, stay: this.#stay, startedMs: nowMs, isOver: false };
    this.#underWay.push(carrier);
    this.#send(carrier.lane, bytes).then(
      (receivers) => this.#over(carrier, receivers > 0 ? undefined : "unheard"),
      () => this.#over(carrier, "rejected"),
    );
  }

  /** Publishes over any lane, once; nothing comes of it if it fails. */
  publishOver(lane: number, bytes: Uint8Array): void {
    const { health, peer, clock } = this.#parts;
    this.#send(lane, bytes).then(
      (receivers) => {
        if (receivers === 0) health.failed(lane, "unheard", peer, clock.monotonicMs());
      },
      () => health.failed(lane, "rejected", peer, clock.monotonicMs()),
    );
  }

  /** Fails the publishes that are too late. */
  checkDeadlines(nowMs: number): void {
    while (this.deadlineMs <= nowMs) {
      const late = this.#underWay.shift();
      if (late !== undefined) this.#fail(late, "timed_out", nowMs);
    }
  }

  /** The current lane has failed this link: it is avoided for a while. */
  avoid(nowMs: number): void {
    const { minAvoidMs, maxAvoidMs } = this.#parts.options;
    const before = this.#avoided.get(this.#current);
    const forMs = Math.min(maxAvoidMs, before === undefined ? minAvoidMs : before.forMs * 2);
    this.#avoided.set(this.#current, { untilMs: nowMs + forMs, forMs });
  }

  /** The peer has what came over the current lane. */
  proved(): void {
    this.#avoided.delete(this.#current);
  }

  /** Goes to the best other lane, or to this one. */
  move(to = this.candidates(1)[0] ?? this.#current): void {
    this.#stay++;
    if (to === this.#current) return;
    this.#current = to;
    this.#parts.counters.laneMoves++;
  }

  /** Lanes to try, the best first, each of another shard if possible. */
  candidates(wanted: number): number[] {
    return chooseLanes(this.#survey, this.#current, wanted, this.#parts.random);
  }

  /** Goes back to the lane where it belongs, if that is well. For a link of which nothing is under way. @returns whether it was away */
  goHome(): boolean {
    const { home } = this.#parts;
    if (this.#current === home || this.#survey.isSick(home) || this.#survey.isAvoided(home)) return false;
    this.move(home);
    return true;
  }

  /** Forgets what is under way. */
  close(): void {
    for (const carrier of this.#underWay) carrier.isOver = true;
    this.#underWay = [];
  }

  #send(lane: number, bytes: Uint8Array): Promise<number> {
    try {
      return this.#parts.lanes.publish(lane, this.#parts.peer, bytes);
    } catch (reason) {
      return Promise.reject(reason);
    }
  }

  #over(carrier: Carrier, failure: PublishFailure | undefined): void {
    if (carrier.isOver) return;
    this.#underWay.splice(this.#underWay.indexOf(carrier), 1);
    if (failure !== undefined) return this.#fail(carrier, failure, this.#parts.clock.monotonicMs());
    carrier.isOver = true;
    this.#parts.health.worked(carrier.lane);
    if (this.#underWay.length === 0) this.#parts.onQuiet();
  }

  #fail(carrier: Carrier, failure: PublishFailure, nowMs: number): void {
    const { counters, health, peer, onFailed } = this.#parts;
    carrier.isOver = true;
    if (failure === "rejected") counters.publishesRejected++;
    else if (failure === "timed_out") counters.publishesTimedOut++;
    else counters.publishesUnheard++;
    onFailed(failure, carrier.stay === this.#stay, nowMs);
    health.failed(carrier.lane, failure, peer, nowMs);
  }
}
