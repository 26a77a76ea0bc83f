import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type NodeRecord, NodeRecordSchema, NodeState } from "@fanfare/proto/cluster/v1alpha";
import type { RegisteredNode, Registry, RegistryShard } from "../../broker/registry.ts";
import type { Clock, Timer } from "../../clock.ts";
import { ClusterCounters } from "../../observe/cluster-counters.ts";
import type { Log } from "../../observe/log.ts";

/** What a {@link NodeTable} is made of. */
export interface NodeTableOptions {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Log;
  readonly incarnation: bigint;
  /** The node as it is now. Its `state` and `incarnation` are filled in. */
  readonly describe: () => Omit<NodeRecord, "$typeName" | "$unknown" | "incarnation" | "state">;
  /** When something of an incarnation was heard last, by the monotonic clock. */
  readonly heardAtMs: (incarnation: bigint) => number;
  /** Whether anybody listens at the inbox of an incarnation; true also if that cannot be found out. */
  readonly isListening: (incarnation: bigint) => Promise<boolean>;
  /** It was not known: it has greeted this node, or was found in the registry. */
  readonly onJoined: (incarnation: bigint, hasGreeted: boolean) => void;
  /** It is gone: in order, with nothing of it left, or not. */
  readonly onDead: (incarnation: bigint, hasLeft: boolean) => void;
  /** The registry still has the record of a dead node: what was to be cleared away behind it may not have been. */
  readonly onUncleared: (incarnation: bigint) => void;
  readonly onChanged: (node: NodeRecord) => void;
  /** This node could not renew its lease for its whole life: the others count it as dead. Called once. */
  readonly onLapsed: () => void;
  /** Life of a lease, in milliseconds. Default: 6000. */
  readonly leaseMs?: number;
  /** How often it is renewed, in milliseconds. Default: a quarter of its life. */
  readonly renewMs?: number;
  /** Default: its own. */
  readonly counters?: ClusterCounters;
}

/** How old what the registry says may be when it comes, in milliseconds. */
const answerMs = 1_000;
/** Incarnations known to be dead; at the bound the oldest is forgotten. */
const maxDead = 1_000;
/** Incarnations that somebody has named and nobody knows; past it more are not looked into. */
const maxStrangers = 1_000;

/**
 * Who is in the cluster, by leases in several shards of the registry.
 *
 * A node is dead when no shard that can be read has a lease of it that is young enough, of which at least one has not just changed, and nothing came from it
 * over its link for the life of a lease; half of that is enough where nobody listens at its inbox any more: its process has ended. So is one that died before
 * this one came, and of which a route or an old record is left. This node has lapsed when most shards have not taken its renewal for that long, or when
 * another has removed it from the registry: that is done with those who renew their lease although they count as dead, so that nobody lives on whom the others
 * do not hear.
 */
export class NodeTable {
  readonly #options: NodeTableOptions;
  readonly #counters: ClusterCounters;
  readonly leaseMs: number;
  readonly #renewMs: number;
  readonly #peers = new Map<bigint, NodeRecord>();
  /** When each of them was seen first, by the monotonic clock. */
  readonly #joinedAtMs = new Map<bigint, number>();
  /** Since when, by the monotonic clock. */
  readonly #dead = new Map<bigint, number>();
  /** Named by routes, links or old records of the registry, and no peers: since when. */
  readonly #strangers = new Map<bigint, number>();
  /** Until when what a shard lacks means nothing, by the monotonic clock. */
  readonly #unsettledUntilMs: number[] = [];
  #state = NodeState.JOINING;
  #isDraining = false;
  #renewedAtMs: number;
  #timer: Timer | undefined;
  #closed = false;
  #lapsed = false;
  #reachable = true;

  constructor(options: NodeTableOptions) {
    this.#options = options;
    this.#counters = options.counters ?? new ClusterCounters();
    this.leaseMs = options.leaseMs ?? 6_000;
    this.#renewMs = options.renewMs ?? this.leaseMs / 4;
    this.#renewedAtMs = options.clock.monotonicMs();
  }

  /** All others that are alive, as far as known. */
  get peers(): ReadonlyMap<bigint, NodeRecord> {
    return this.#peers;
  }

  get state(): NodeState {
    return this.#state;
  }

  /** The last renewal was taken by most shards. */
  get isReachable(): boolean {
    return this.#reachable;
  }

  /** The others know this node, as far as it can tell, and it knows them. False before it has joined, and when its lease has ended. */
  get isMember(): boolean {
    const sinceMs = this.#options.clock.monotonicMs() - this.#renewedAtMs;
    return this.#state !== NodeState.JOINING && !this.#lapsed && sinceMs <= this.leaseMs;
  }

  isDead(incarnation: bigint): boolean {
    return this.#dead.has(incarnation);
  }

  /**
   * Whether this node is the one that does what has to be done once behind a node that has died: the lowest of those that are ready, and have been there
   * for long enough to have known it.
   */
  get isFirst(): boolean {
    const sinceMs = this.#options.clock.monotonicMs() - this.leaseMs;
    const others = [...this.#peers.values()].filter(
      ({ state, incarnation }) =>
        state === NodeState.READY && (this.#joinedAtMs.get(incarnation) ?? sinceMs) <= sinceMs,
    );
    return others.every(({ incarnation }) => incarnation > this.#options.incarnation);
  }

  /** Registers, learns who is there, and goes on to do so. */
  async open(): Promise<void> {
    this.#renewedAtMs = this.#options.clock.monotonicMs();
    await this.#renew();
    this.#schedule();
  }

  /** The others know this node. Told them at once: it serves clients, or sends them away, if that was asked meanwhile. */
  async joined(): Promise<void> {
    this.#state = this.#isDraining ? NodeState.DRAINING : NodeState.READY;
    await this.#renew();
  }

  /** It sends its clients away. Told the others at once; by who has not joined yet, when it has. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    if (this.#state !== NodeState.JOINING) await this.joined();
  }

  /** What the node looks like, for a greeting. */
  record(): Uint8Array {
    const { describe, incarnation } = this.#options;
    return toBinary(NodeRecordSchema, create(NodeRecordSchema, { ...describe(), incarnation, state: this.#state }));
  }

  /** A node says of itself that it is there. @returns its state */
  greeted(record: Uint8Array): NodeState {
    return this.#learn(record, true).state;
  }

  /** Somebody names a node that may not be known here: it has just come, or it died before this one could know it. */
  named(incarnation: bigint): void {
    const isKnown = this.#peers.has(incarnation) || this.#dead.has(incarnation);
    if (isKnown || incarnation === this.#options.incarnation || this.#strangers.size >= maxStrangers) return;
    if (!this.#strangers.has(incarnation)) this.#strangers.set(incarnation, this.#options.clock.monotonicMs());
  }

  /** A node has gone, or says so. */
  bury(incarnation: bigint, hasLeft = false): void {
    if (this.#dead.has(incarnation)) return;
    this.#dead.set(incarnation, this.#options.clock.monotonicMs());
    const [oldest] = this.#dead.keys();
    if (this.#dead.size > maxDead && oldest !== undefined) this.#dead.delete(oldest);
    this.#strangers.delete(incarnation);
    const known = this.#peers.get(incarnation);
    this.#peers.delete(incarnation);
    this.#joinedAtMs.delete(incarnation);
    const fields = { node: known?.nodeId, incarnation: incarnation.toString(16) };
    if (hasLeft) {
      this.#counters.nodesLeft++;
      this.#options.log.info("a node has left", fields);
    } else {
      this.#counters.nodesLost++;
      this.#options.log.warn("a node is gone", fields);
    }
    this.#options.onDead(incarnation, hasLeft);
  }

  /** Ends the lease. Where this node could not clear away behind itself its record stays, so that others do it. */
  async close(isCleared = true): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    if (isCleared) await this.#options.registry.remove(this.#options.incarnation).catch(() => {});
  }

  #schedule(): void {
    if (this.#closed) return;
    this.#timer = this.#options.clock.setTimer(this.#renewMs, () => void this.#renew().finally(() => this.#schedule()));
  }

  async #renew(): Promise<void> {
    const { registry, clock, incarnation } = this.#options;
    const beganMs = clock.monotonicMs();
    // A process that stood still for so long is dead to the others, and none of them tells it.
    if (this.#lapsesAt(beganMs)) return;
    const shards = await registry.renew(incarnation, this.record());
    if (this.#closed) return;
    this.#judgeSelf(shards, beganMs);
    if (this.#lapsed) return;
    this.#evictLiving(shards);
    this.#learnAll(shards);
    this.#judgeOthers(shards);
  }

  #judgeSelf(shards: readonly (RegistryShard | undefined)[], beganMs: number): void {
    const answered = shards.filter((shard) => shard !== undefined).length;
    this.#reachable = answered * 2 > shards.length;
    // Taken too late it is no renewal: the others may have counted this node as dead between.
    const isInTime = this.#options.clock.monotonicMs() - this.#renewedAtMs <= this.leaseMs;
    if (this.#reachable && isInTime) this.#renewedAtMs = beganMs;
    this.#lapsesAt(this.#options.clock.monotonicMs());
    if (shards.some((shard) => shard?.evicted === true)) this.#lapse();
  }

  /** Whether the lease has ended before a renewal was taken. */
  #lapsesAt(nowMs: number): boolean {
    if (nowMs - this.#renewedAtMs > this.leaseMs) this.#lapse();
    return this.#lapsed;
  }

  #lapse(): void {
    if (this.#lapsed) return;
    this.#lapsed = true;
    this.#reachable = false;
    this.#options.onLapsed();
  }

  /** Removes whoever has renewed its lease since it counts as dead: it learns of it that way. */
  #evictLiving(shards: readonly (RegistryShard | undefined)[]): void {
    const { clock, registry } = this.#options;
    const nowMs = clock.monotonicMs();
    const isLiving = ({ incarnation, ageMs }: RegisteredNode) =>
      nowMs - (this.#dead.get(incarnation) ?? nowMs) > ageMs + answerMs;
    const living = new Set(
      shards
        .flatMap((shard) => shard?.nodes ?? [])
        .filter(isLiving)
        .map((node) => node.incarnation),
    );
    for (const incarnation of living) {
      this.#options.log.warn("a node lives on that counts as dead; it is removed from the registry", {
        incarnation: incarnation.toString(16),
      });
      registry.remove(incarnation).catch(() => {});
    }
  }

  #learnAll(shards: readonly (RegistryShard | undefined)[]): void {
    const newest = new Map<bigint, { record: Uint8Array; ageMs: number }>();
    for (const shard of shards) {
      for (const node of shard?.nodes ?? []) {
        const known = newest.get(node.incarnation);
        if (node.ageMs <= this.leaseMs && (known === undefined || node.ageMs < known.ageMs))
          newest.set(node.incarnation, node);
      }
    }
    for (const { record } of newest.values()) this.#learn(record, false);
  }

  #learn(bytes: Uint8Array, hasGreeted: boolean): NodeRecord {
    const record = fromBinary(NodeRecordSchema, bytes);
    const { incarnation } = record;
    if (incarnation === this.#options.incarnation || this.#dead.has(incarnation)) return record;
    const known = this.#peers.get(incarnation);
    this.#strangers.delete(incarnation);
    this.#peers.set(incarnation, record);
    if (known === undefined) {
      this.#joinedAtMs.set(incarnation, this.#options.clock.monotonicMs());
      this.#counters.nodesJoined++;
      this.#options.log.info("a node has joined", { node: record.nodeId, incarnation: incarnation.toString(16) });
      this.#options.onJoined(incarnation, hasGreeted);
    }
    if (record.state === NodeState.DRAINING && known?.state !== NodeState.DRAINING) {
      this.#options.log.info("a node sends its clients away", { node: record.nodeId });
    }
    this.#options.onChanged(record);
    return record;
  }

  #judgeOthers(shards: readonly (RegistryShard | undefined)[]): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [i, shard] of shards.entries())
      if (shard?.unsettled === true) this.#unsettledUntilMs[i] = nowMs + this.leaseMs;
    const settled = shards.filter(
      (shard, i): shard is RegistryShard => shard !== undefined && (this.#unsettledUntilMs[i] ?? 0) <= nowMs,
    );
    // Noted also when nothing can be judged: who is not heard of from now on is dead as soon as that can be told.
    const named = shards.flatMap((shard) => shard?.nodes ?? []).map(({ incarnation }) => incarnation);
    for (const incarnation of named) this.named(incarnation);
    if (settled.length === 0) return;
    const isOverdue = (incarnation: bigint, afterMs: number): boolean => {
      const lacks = ({ nodes }: RegistryShard) =>
        !nodes.some((node) => node.incarnation === incarnation && node.ageMs <= afterMs);
      // One that has renewed its lease anywhere lives, whoever else lacks it.
      if (!shards.every((shard) => shard === undefined || lacks(shard))) return false;
      return nowMs - this.#options.heardAtMs(incarnation) > afterMs;
    };
    for (const incarnation of [...this.#peers.keys()]) {
      if (isOverdue(incarnation, this.leaseMs)) this.bury(incarnation);
      else if (isOverdue(incarnation, this.leaseMs / 2)) void this.#buryUnlessListening(incarnation);
    }
    for (const incarnation of named) {
      if (this.#dead.has(incarnation) && isOverdue(incarnation, this.leaseMs)) this.#options.onUncleared(incarnation);
    }
    for (const [incarnation, sinceMs] of this.#strangers) {
      const knownMs = nowMs - sinceMs;
      if (knownMs > this.leaseMs && isOverdue(incarnation, this.leaseMs)) this.bury(incarnation);
      else if (knownMs > this.leaseMs / 2 && isOverdue(incarnation, this.leaseMs / 2)) {
        void this.#buryUnlessListening(incarnation);
      }
    }
  }

  async #buryUnlessListening(incarnation: bigint): Promise<void> {
    const beganMs = this.#options.clock.monotonicMs();
    const isListening = await this.#options.isListening(incarnation);
    const isHeard = this.#options.heardAtMs(incarnation) > beganMs;
    const isMeant = this.#peers.has(incarnation) || this.#strangers.has(incarnation);
    if (!isListening && !isHeard && !this.#closed && isMeant) this.bury(incarnation);
  }
}
