import { ErrorCode } from "@fanfare/proto/v1";
import { everybody, type Lanes } from "../../../broker/lanes.ts";
import { FanfareError } from "../../../fanfare-error.ts";
import type { Random } from "../../../testing/random.ts";
import type { SimulatedProcess } from "../../../testing/simulation/simulated-process.ts";
import type { Simulation } from "../../../testing/simulation/simulation.ts";

/** How a shard treats what is published to it. */
export type ShardState =
  /** Passes it on. */
  | "well"
  /** Refuses it at once. */
  | "refusing"
  /** Says nothing until the client gives up; what was published is lost. */
  | "silent"
  /** Says nothing, and passes it on when it is well again. */
  | "frozen"
  /** Has no subscribers. */
  | "deaf"
  /** Says that it was received, and loses it. */
  | "lying"
  /** Passes it on, and says that nobody received it. */
  | "modest";

/** How often, per publish, a shard that is well does what it should not. */
export interface Mischief {
  readonly lose: number;
  readonly double: number;
  /** Passes it on, and says that it failed. */
  readonly refuseAfterwards: number;
  /** Behind what is published later. */
  readonly delay: number;
}

const noMischief: Mischief = { lose: 0, double: 0, refuseAfterwards: 0, delay: 0 };

/** Something that a node published. */
export interface Publish {
  readonly from: bigint;
  readonly to: bigint;
  readonly lane: number;
  readonly bytes: Uint8Array;
}

interface Inbox {
  readonly process: SimulatedProcess;
  readonly onBytes: (bytes: Uint8Array, lane: number) => void;
}

const outOfReach = new FanfareError(ErrorCode.UNAVAILABLE, "the shard is out of reach");
/** After which time a client gives up, in milliseconds. */
const clientTimeoutMs = 250;

/** Lanes in memory, under a simulation, whose shards fail in every way that Valkey's do. Between two nodes a lane keeps the order, unless it delays. */
export class HostileNetwork {
  mischief: Mischief = noMischief;
  /** Publishes, of all nodes. */
  publishes = 0;
  /** Whether one more is lost, while its publisher is told that somebody received it. */
  loses: (publish: Publish) => boolean = () => false;
  readonly shards: number;
  readonly #simulation: Simulation;
  readonly #random: Random;
  readonly #laneCount: number;
  readonly #states: ShardState[];
  readonly #thawing: (() => void)[][];
  readonly #inboxes = new Map<bigint, Inbox>();
  readonly #cut = new Set<bigint>();
  /** Nodes that do not get what is sent to everybody: their subscriptions to it are broken. */
  readonly deafToShared = new Set<bigint>();
  readonly #onPublish: (publish: Publish) => void;
  readonly #arrivals = new Map<string, number>();

  constructor(
    simulation: Simulation,
    laneCount: number,
    shards: number,
    onPublish: (publish: Publish) => void = () => {},
  ) {
    this.#onPublish = onPublish;
    this.#simulation = simulation;
    this.#random = simulation.random("network");
    this.#laneCount = laneCount;
    this.shards = shards;
    this.#states = Array.from({ length: shards }, () => "well");
    this.#thawing = Array.from({ length: shards }, () => []);
  }

  set(shard: number, state: ShardState): void {
    this.#states[shard] = state;
    if (state === "frozen") return;
    const waiting = this.#thawing[shard]?.splice(0) ?? [];
    for (const passOn of waiting) passOn();
  }

  /** Cuts a node off from all shards: what it publishes fails, and it receives nothing. */
  cut(incarnation: bigint): void {
    this.#cut.add(incarnation);
  }

  heal(): void {
    for (let shard = 0; shard < this.shards; shard++) this.set(shard, "well");
    this.#cut.clear();
    this.deafToShared.clear();
    this.mischief = noMischief;
  }

  mend(incarnation: bigint): void {
    this.#cut.delete(incarnation);
  }

  /** The lanes, as one node has them. */
  lanesOf(incarnation: bigint, process: SimulatedProcess): Lanes {
    return {
      count: this.#laneCount,
      shardOf: (lane) => `shard ${lane % this.shards}`,
      publish: (lane, to, bytes) =>
        new Promise((resolve, reject) => {
          this.#publish({ from: incarnation, to, lane, bytes }, (outcome) => {
            process.run(() => {
              if (outcome !== undefined) resolve(outcome);
              else reject(outOfReach);
            });
          });
        }),
      listen: async (own, onBytes) => {
        this.#inboxes.set(own, { process, onBytes });
      },
    };
  }

  #publish(publish: Publish, answer: (receivers: number | undefined) => void): void {
    const { from, to, lane } = publish;
    this.publishes++;
    this.#onPublish(publish);
    const random = this.#random;
    const shard = lane % this.shards;
    const state = this.#cut.has(from) ? random.pick(["refusing", "silent"] as const) : this.#states[shard];
    const answerLater = (receivers: number | undefined, ms = random.between(0.1, 1)) =>
      this.#simulation.after(ms, () => answer(receivers));
    const receivers = this.#receiversOf(to);
    const passOn = () => {
      for (const receiver of receivers) this.#passOn({ ...publish, to: receiver });
    };
    const { lose, double, refuseAfterwards } = this.mischief;
    switch (state) {
      case "refusing":
        return void answerLater(undefined);
      case "silent":
        return void answerLater(undefined, clientTimeoutMs);
      case "frozen":
        this.#thawing[shard]?.push(passOn);
        return void answerLater(undefined, clientTimeoutMs);
      case "deaf":
        return void answerLater(0);
      case "lying":
        return void answerLater(1);
      case "modest":
        passOn();
        return void answerLater(0);
      default: {
        const reached = receivers.filter((receiver) => !this.#cut.has(receiver)).length;
        if (this.loses(publish)) return void answerLater(reached);
        // Each subscriber of what is sent to everybody has its own fate, as any connection to a server.
        for (const receiver of receivers) {
          if (random.chance(lose)) continue;
          this.#passOn({ ...publish, to: receiver });
          if (random.chance(double)) this.#passOn({ ...publish, to: receiver });
        }
        if (random.chance(refuseAfterwards)) answerLater(undefined, random.between(0.1, clientTimeoutMs));
        else answerLater(reached);
      }
    }
  }

  #receiversOf(to: bigint): readonly bigint[] {
    if (to !== everybody) return this.#inboxes.has(to) ? [to] : [];
    return [...this.#inboxes.keys()].filter((incarnation) => !this.deafToShared.has(incarnation));
  }

  #passOn({ from, to, lane, bytes }: Publish): void {
    const random = this.#random;
    const way = `${from} ${to} ${lane}`;
    const { nowMs } = this.#simulation;
    const isDelayed = random.chance(this.mischief.delay);
    const atMs = isDelayed
      ? nowMs + random.between(1, 400)
      : Math.max(nowMs + random.between(0.1, 1.5), this.#arrivals.get(way) ?? 0);
    if (!isDelayed) this.#arrivals.set(way, atMs);
    this.#simulation.at(atMs, () => {
      const inbox = this.#inboxes.get(to);
      if (inbox === undefined || this.#cut.has(to)) return;
      inbox.process.run(() => inbox.onBytes(bytes, lane));
    });
  }
}
