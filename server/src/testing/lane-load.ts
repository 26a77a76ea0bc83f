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
  readonly #missing = new Set<number>();
  readonly #running: Promise<void>;
  readonly #sending = new Set<Promise<void>>();
  readonly #sickUntilMs = new Map<string, number>();
  #isStopped = false;
  #sent = 0;

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
    this.#missing.delete(Buffer.from(bytes).readUInt32BE(1));
  }

  /** Ends it. @returns what became of the messages */
  async stop(): Promise<{ sent: number; lost: number }> {
    this.#isStopped = true;
    await this.#running;
    await Promise.all(this.#sending);
    await delay(500);
    return { sent: this.#sent, lost: this.#missing.size };
  }

  async #run(pauseMs: number): Promise<void> {
    for (let number = 1; !this.#isStopped; number++) {
      this.#missing.add(number);
      this.#sent++;
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
