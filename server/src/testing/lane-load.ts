import { setTimeout as delay } from "node:timers/promises";
import type { Broker } from "../broker/broker.ts";

/** How long a shard is avoided after a failure, in milliseconds. */
const sickMs = 300;

/**
 * Messages over lanes from one node to another, each lane in its turn, and one that fails at once over a lane of another shard: what a link does, as
 * far as lanes are concerned.
 */
export class LaneLoad {
  readonly #from: Broker;
  readonly #to: bigint;
  readonly #sentAtMs = new Map<number, number>();
  readonly #latenciesMs = new Map<number, number>();
  readonly #running: Promise<void>;
  readonly #sending = new Set<Promise<void>>();
  readonly #sickUntilMs = new Map<string, number>();
  #isStopped = false;
  #attempts = 0;

  private constructor(from: Broker, to: bigint, pauseMs: number) {
    this.#from = from;
    this.#to = to;
    this.#running = this.#run(pauseMs);
  }

  /** Makes one broker listen, and sends to it from another. */
  static async start(from: Broker, to: Broker, incarnation: bigint, pauseMs = 5): Promise<LaneLoad> {
    let load: LaneLoad | undefined;
    await to.lanes.listen(incarnation, (bytes) => load?.received(bytes));
    load = new LaneLoad(from, incarnation, pauseMs);
    return load;
  }

  private received(bytes: Uint8Array): void {
    const number = Buffer.from(bytes).readUInt32BE(1);
    if (this.#latenciesMs.has(number)) return;
    this.#latenciesMs.set(number, performance.now() - (this.#sentAtMs.get(number) ?? Number.NaN));
  }

  /** Ends it. @returns what became of the messages, times in milliseconds */
  async stop(): Promise<{ sent: number; attempts: number; lost: number; p50Ms: number; p99Ms: number; maxMs: number }> {
    this.#isStopped = true;
    await this.#running;
    await Promise.all(this.#sending);
    await delay(500);
    const sorted = [...this.#latenciesMs.values()].sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
    const lost = this.#sentAtMs.size - sorted.length;
    const times = { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
    return { sent: this.#sentAtMs.size, attempts: this.#attempts, lost, ...times };
  }

  async #run(pauseMs: number): Promise<void> {
    for (let number = 1; !this.#isStopped; number++) {
      this.#sentAtMs.set(number, performance.now());
      const sending = this.#send(number).finally(() => this.#sending.delete(sending));
      this.#sending.add(sending);
      await delay(pauseMs);
    }
  }

  async #send(number: number): Promise<void> {
    const { lanes } = this.#from;
    const bytes = Buffer.alloc(200, 8);
    bytes.writeUInt32BE(number, 1);
    const tried = new Map<string, number>();
    for (let tries = 0; tries < lanes.count; tries++) {
      this.#attempts++;
      const lane = this.#laneFor(number + tries, tried);
      if ((await lanes.publish(lane, this.#to, bytes).catch(() => 0)) > 0) return;
      const shard = lanes.shardOf(lane);
      tried.set(shard, (tried.get(shard) ?? 0) + 1);
      this.#sickUntilMs.set(shard, performance.now() + sickMs);
    }
  }

  /** The next lane of the shards that were tried the least, and are not sick if there is one that is well. */
  #laneFor(first: number, tried: ReadonlyMap<string, number>): number {
    const { lanes } = this.#from;
    const nowMs = performance.now();
    const costOf = (lane: number) => {
      const shard = lanes.shardOf(lane);
      return (tried.get(shard) ?? 0) * 2 + ((this.#sickUntilMs.get(shard) ?? 0) > nowMs ? 1 : 0);
    };
    const inTurn = [...Array(lanes.count).keys()].map((i) => (first + i) % lanes.count);
    return inTurn.reduce((best, lane) => (costOf(lane) < costOf(best) ? lane : best));
  }
}
