import type { Clock } from "../../clock.ts";
import type { BrokerFigures } from "../../observe/cluster-metrics.ts";
import type { Log } from "../../observe/log.ts";
import { type RandomBytes, systemRandom } from "../../random.ts";
import type { Mark } from "../../valkey/reply-mark.ts";
import type { Topology } from "../../valkey/topology.ts";
import { glideConnector, type ValkeyConnector } from "../../valkey/valkey-client.ts";
import { defaultRequestTimeoutMs, type ValkeyOptions } from "../../valkey/valkey-options.ts";
import type { Broker } from "../broker.ts";
import type { BrokerHealth } from "../broker-health.ts";
import { BrokerConnections } from "./broker-connections.ts";
import { maxLanes } from "./lane-tags.ts";
import { ValkeyLanes } from "./valkey-lanes.ts";
import { ValkeyMembershipStore } from "./valkey-membership-store.ts";
import { ValkeyRegistry } from "./valkey-registry.ts";
import { ValkeyRouteStore } from "./valkey-route-store.ts";
import { ValkeySessionStore } from "./valkey-session-store.ts";
import { ValkeySettingsStore } from "./valkey-settings-store.ts";
import { ValkeyStandingStore } from "./valkey-standing-store.ts";

/** How a broker over Valkey is opened. */
export interface ValkeyBrokerOptions {
  readonly valkey: ValkeyOptions;
  readonly clock: Clock;
  readonly log: Log;
  /** Default: the machine's own. */
  readonly random?: RandomBytes;
  /** Default: GLIDE. */
  readonly connector?: ValkeyConnector;
  /** Before every key and channel; the same in all nodes of a cluster, and in no other. Default: `fanfare`. */
  readonly keyPrefix?: string;
  /** Lanes of a node, 1 to 64; the same in all nodes of a cluster. Default: 16. */
  readonly lanes?: number;
  /** How long publishing to a lane, and reading a route, may take, in milliseconds. Default: 150. */
  readonly laneTimeoutMs?: number;
  /** How long a change waits for a replica, in milliseconds; then the primary alone is enough. Default: 300. */
  readonly waitTimeoutMs?: number;
  /** How long a change or a read is tried again, in milliseconds; longer than a failover takes. Default: 8000. */
  readonly callTimeoutMs?: number;
}

/** Connects nodes over Valkey, and keeps what they share there. */
export class ValkeyBroker implements Broker {
  readonly lanes: ValkeyLanes;
  readonly registry: ValkeyRegistry;
  readonly routes: ValkeyRouteStore;
  readonly sessions: ValkeySessionStore;
  readonly memberships: ValkeyMembershipStore;
  readonly standing: ValkeyStandingStore;
  readonly settings: ValkeySettingsStore;
  readonly health: BrokerHealth;
  readonly #connections: BrokerConnections;

  constructor(connections: BrokerConnections, lanes: ValkeyLanes, registry: ValkeyRegistry) {
    this.#connections = connections;
    this.lanes = lanes;
    this.registry = registry;
    this.routes = new ValkeyRouteStore(connections);
    this.sessions = new ValkeySessionStore(connections);
    this.memberships = new ValkeyMembershipStore(connections);
    this.standing = new ValkeyStandingStore(connections);
    this.settings = new ValkeySettingsStore(connections);
    this.health = {
      get isHealthy() {
        return lanes.health.some(({ isUp }) => isUp);
      },
      get lanes() {
        return lanes.health;
      },
      get failingShards() {
        return connections.watch.failing;
      },
      onChanged: (listener) => lanes.onHealth(listener),
    };
  }

  /** Who serves what. */
  get topology(): Topology {
    return this.#connections.topology;
  }

  /** Whether the routes that a node of Valkey has can be relied upon now. */
  isSettled(node: string): boolean {
    return this.#connections.watch.isSettled(node);
  }

  /** Takes note of an answer to somebody else. @returns whether it was the primary that answered, and no other has its place */
  answeredElsewhere(mark: Mark, sentAtMs: number): boolean {
    return this.#connections.watch.answeredElsewhere(mark, sentAtMs);
  }

  get counts(): BrokerFigures {
    const { batches, reads, refused } = this.#connections.routeReads.counts;
    const { probes, probesLost, failures, replacements, replacementsFailed } = this.lanes.counts;
    const { topology, watch, lateReplicas, clientCounts } = this.#connections;
    return {
      clientsReplaced: clientCounts.replaced,
      clientReplacementsFailed: clientCounts.replacementsFailed,
      clientsRerouted: clientCounts.rerouted,
      subscribersReplaced: replacements,
      subscriberReplacementsFailed: replacementsFailed,
      laneProbes: probes,
      laneProbesLost: probesLost,
      laneFailures: failures,
      topologyChanges: topology.changes,
      shardFailures: watch.counts.failures,
      shardRestarts: watch.counts.begunAnew,
      lateReplicas,
      routeReads: reads,
      routeReadBatches: batches,
      routeReadsRefused: refused,
      lanesDown: this.lanes.health.filter(({ isUp }) => !isUp).length,
      shardsFailing: watch.failing.length,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.lanes[Symbol.dispose]();
    this.#connections[Symbol.dispose]();
  }
}

/**
 * Connects and loads the functions.
 * @throws what the client library throws when nobody answers; RangeError for a number of lanes that cannot be
 */
export async function openValkeyBroker(options: ValkeyBrokerOptions): Promise<ValkeyBroker> {
  const { connector = glideConnector, random = systemRandom, keyPrefix = "fanfare", valkey, clock, log } = options;
  const { lanes: count = 16, laneTimeoutMs = 150, waitTimeoutMs = 300, callTimeoutMs = 8000 } = options;
  if (!Number.isInteger(count) || count < 1 || count > maxLanes) throw new RangeError(`1 to ${maxLanes} lanes`);
  const shared = { connector, valkey, clock, log, keyPrefix };
  const timeouts = { laneTimeoutMs, waitTimeoutMs, callTimeoutMs };
  const connections = await BrokerConnections.open({ ...shared, random, ...timeouts });
  const { lanes: client, topology, watch } = connections;
  const lanes = new ValkeyLanes({ ...shared, client, topology, watch, count, timeoutMs: laneTimeoutMs });
  const registry = new ValkeyRegistry(connections, valkey.requestTimeoutMs ?? defaultRequestTimeoutMs);
  return new ValkeyBroker(connections, lanes, registry);
}
