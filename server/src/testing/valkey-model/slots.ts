import { slotCount, slotOfTag } from "../../valkey/hash-slot.ts";

/** The slot of a key or channel: of what stands between its first braces, if something does. */
export function slotOfKey(key: string): number {
  const open = key.indexOf("{");
  const close = open < 0 ? -1 : key.indexOf("}", open);
  return slotOfTag(close > open + 1 ? key.slice(open + 1, close) : key);
}

/** A shard as the nodes of a cluster know it: ids of its servers. */
export interface ShardView {
  /** Under which its primary claims its slots. */
  readonly epoch: number;
  readonly primary: string;
  readonly replicas: readonly string[];
}

/** What a server of a cluster knows about the whole of it. Never changed: what has changed is another one. */
export class ClusterView {
  readonly version: number;
  readonly shards: readonly ShardView[];
  /** Slots that are not where they were at first, and the index of their shard. */
  readonly #moved: ReadonlyMap<number, number>;

  constructor(version: number, shards: readonly ShardView[], moved: ReadonlyMap<number, number> = new Map()) {
    this.version = version;
    this.shards = shards;
    this.#moved = moved;
  }

  /** Index of the shard of a slot. */
  shardOf(slot: number): number {
    return this.#moved.get(slot) ?? Math.floor((slot * this.shards.length) / slotCount);
  }

  /** Id of the server that is the primary of a slot. */
  primaryOf(slot: number): string {
    return (this.shards[this.shardOf(slot)] as ShardView).primary;
  }

  withShard(index: number, shard: ShardView): ClusterView {
    const shards = this.shards.with(index, shard);
    return new ClusterView(this.version + 1, shards, this.#moved);
  }

  /** The same with a slot in another shard, which claims it under a new epoch. */
  withSlot(slot: number, shard: number): ClusterView {
    const epoch = Math.max(...this.shards.map((one) => one.epoch)) + 1;
    const shards = this.shards.with(shard, { ...(this.shards[shard] as ShardView), epoch });
    return new ClusterView(this.version + 1, shards, new Map(this.#moved).set(slot, shard));
  }

  /** The same with another primary of a shard, under a new epoch. */
  withPrimary(index: number, primary: string): ClusterView {
    const shard = this.shards[index] as ShardView;
    const epoch = Math.max(...this.shards.map((one) => one.epoch)) + 1;
    const replicas = [...shard.replicas, shard.primary].filter((id) => id !== primary);
    return this.withShard(index, { epoch, primary, replicas });
  }

  /** First and last slot of each range that belongs to one shard, with its index. */
  *ranges(): Generator<readonly [number, number, number]> {
    const cuts = new Set([0, slotCount]);
    for (let i = 1; i < this.shards.length; i++) cuts.add(Math.ceil((i * slotCount) / this.shards.length));
    for (const slot of this.#moved.keys()) cuts.add(slot).add(slot + 1);
    const sorted = [...cuts].sort((a, b) => a - b);
    for (let i = 0; i + 1 < sorted.length; i++) {
      const [first, end] = [sorted[i] as number, sorted[i + 1] as number];
      yield [first, end - 1, this.shardOf(first)];
    }
  }
}
