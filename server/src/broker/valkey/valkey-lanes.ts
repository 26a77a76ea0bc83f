import { ErrorCode } from "@fanfare/proto/v1";
import type { Clock } from "../../clock.ts";
import { FanfareError } from "../../fanfare-error.ts";
import type { Log } from "../../observe/log.ts";
import { slotOfTag } from "../../valkey/hash-slot.ts";
import type { ShardWatch } from "../../valkey/shard-watch.ts";
import type { SupervisedClient } from "../../valkey/supervised-client.ts";
import type { Topology } from "../../valkey/topology.ts";
import type { ValkeyConnector } from "../../valkey/valkey-client.ts";
import { asReplacement, type ValkeyOptions } from "../../valkey/valkey-options.ts";
import type { LaneHealth } from "../broker-health.ts";
import { everybody, type Lanes } from "../lanes.ts";
import { type LaneCounts, LaneInbox } from "./lane-inbox.ts";
import { LaneOutbox } from "./lane-outbox.ts";
import { laneTags } from "./lane-tags.ts";

/** What {@link ValkeyLanes} are made of. */
export interface ValkeyLanesOptions {
  readonly connector: ValkeyConnector;
  /** How the subscriber connects. */
  readonly valkey: ValkeyOptions;
  /** Publishes. Closed by whoever made it. */
  readonly client: SupervisedClient;
  readonly topology: Topology;
  readonly watch: ShardWatch;
  readonly clock: Clock;
  readonly log: Log;
  readonly keyPrefix: string;
  readonly count: number;
  /** How long publishing may take, in milliseconds. */
  readonly timeoutMs: number;
}

/** How long nothing may be heard in this node's own inbox before the lane is probed, in milliseconds. */
const ownSilenceMs = 500;
/**
 * How long nothing may be heard of anybody on a channel of all, in milliseconds, before it is probed: whoever does it first does it for all, so that it costs a
 * node the same however many there are.
 */
const sharedSilenceMs = 5_000;
/** How much longer than publishing a probe may take to arrive, in milliseconds. */
const probeSlackMs = 250;
/** How much longer than publishing a lane may be deaf before the subscriber is replaced, in milliseconds: until the next probe would have arrived. */
const deafSlackMs = 350;

const none: LaneCounts = { probes: 0, probesLost: 0, failures: 0, replacements: 0, replacementsFailed: 0 };

/** Lanes over pub/sub of Valkey: one channel a lane and incarnation, and one a lane for all, sharded in a cluster. */
export class ValkeyLanes implements Lanes, Disposable {
  readonly count: number;
  readonly #options: ValkeyLanesOptions;
  readonly #outbox: LaneOutbox;
  readonly #listeners = new Set<() => void>();
  readonly #unlisten: () => void;
  #inbox: LaneInbox | undefined;
  #retired: LaneCounts = none;

  constructor(options: ValkeyLanesOptions) {
    const { client, topology, clock, valkey, timeoutMs, count } = options;
    this.#options = options;
    this.count = count;
    const primaryOf = (tag: string) => topology.primaryOf(tag);
    this.#outbox = new LaneOutbox({ client, clock, cluster: valkey.cluster, primaryOf, timeoutMs });
    this.#unlisten = topology.onMoved((moves) =>
      this.#inbox?.topologyChanged((lane) => moves.some(({ slots }) => slots.has(slotOfTag(tagOf(lane % count))))),
    );
  }

  shardOf(lane: number): string {
    return this.#options.topology.primaryOf(tagOf(lane));
  }

  async publish(lane: number, incarnation: bigint, bytes: Uint8Array): Promise<number> {
    return Math.max(0, await this.#outbox.publish(tagOf(lane), this.#channel(lane, incarnation), bytes));
  }

  async listen(incarnation: bigint, onBytes: (bytes: Uint8Array, lane: number) => void): Promise<void> {
    const { connector, valkey, clock, log, watch, timeoutMs, keyPrefix } = this.#options;
    const { count } = this;
    // First those of this node's own inbox, then those of all.
    const channels = [incarnation, everybody].flatMap((to) =>
      Array.from({ length: count }, (_, lane) => this.#channel(lane, to)),
    );
    const lanes = new Map(channels.map((channel, lane) => [channel, lane]));
    this.#inbox?.close(); // of an incarnation that is no more
    this.#retire();
    this.#inbox = new LaneInbox({
      lanes: channels.length,
      probeTimeoutMs: timeoutMs + probeSlackMs,
      replaceAfterMs: timeoutMs + deafSlackMs,
      silenceMs: (lane) => (lane < count ? ownSilenceMs : sharedSilenceMs),
      nameOf: (lane) => (lane < count ? `${lane}` : `shared:${lane - count}`),
      clock,
      log,
      subscribe: (wanted, onLane, isFirst) => {
        const onPublished = (channel: string, bytes: Uint8Array) => onLane(lanes.get(channel) as number, bytes);
        const its = channels.filter((_, lane) => wanted(lane));
        return connector.subscribe(isFirst ? valkey : asReplacement(valkey), its, onPublished);
      },
      publish: (lane, bytes) => this.#outbox.probe(tagOf(lane % count), channels[lane] as string, bytes),
      shardOf: (lane) => this.shardOf(lane % count),
      isFailing: (shard) => watch.isFailing(shard),
      onBytes: (bytes, lane) => onBytes(bytes, lane % count),
      onChanged: () => {
        for (const listener of this.#listeners) listener();
      },
    });
    try {
      await this.#inbox.open();
    } catch (cause) {
      this.#retire();
      // What Valkey says to a subscription is not passed on by GLIDE.
      const text = `the lanes cannot be listened to: is Valkey in reach, and may its user subscribe to ${keyPrefix}:inbox:*?`;
      throw new FanfareError(ErrorCode.UNAVAILABLE, text, { cause });
    }
  }

  /** See {@link BrokerHealth.lanes}. */
  get health(): readonly LaneHealth[] {
    return (this.#inbox?.lanes ?? [])
      .slice(0, this.count)
      .map(({ isUp, sinceMs }, lane) => ({ shard: this.shardOf(lane), isUp, sinceMs }));
  }

  /** See {@link BrokerHealth.onChanged}. */
  onHealth(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What its inboxes have counted, for metrics. */
  get counts(): LaneCounts {
    const before = this.#retired;
    const now = this.#inbox?.counts ?? none;
    return {
      probes: before.probes + now.probes,
      probesLost: before.probesLost + now.probesLost,
      failures: before.failures + now.failures,
      replacements: before.replacements + now.replacements,
      replacementsFailed: before.replacementsFailed + now.replacementsFailed,
    };
  }

  [Symbol.dispose](): void {
    this.#unlisten();
    this.#retire();
  }

  /** Ends the inbox, if there is one; what it has counted stays. */
  #retire(): void {
    this.#retired = this.counts;
    this.#inbox?.close();
    this.#inbox = undefined;
  }

  #channel(lane: number, incarnation: bigint): string {
    const whose = incarnation === everybody ? "all" : BigInt.asUintN(64, incarnation).toString(16);
    return `${this.#options.keyPrefix}:inbox:{${tagOf(lane)}}:${whose}`;
  }
}

function tagOf(lane: number): string {
  return laneTags[lane] as string;
}
