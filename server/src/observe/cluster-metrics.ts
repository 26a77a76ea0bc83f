import type { ClusterCounters } from "./cluster-counters.ts";
import { gauge, type MetricRow, total, totalBy } from "./metric-row.ts";

type Counts = { readonly [K in keyof ClusterCounters]: number };

/** What a node knows of its cluster at a scrape. */
export interface ClusterFigures extends Counts {
  /** Nodes that are alive as far as this one knows, itself included. */
  readonly nodes: number;
  /** 1: others can be reached and its lease is renewed; else 0. */
  readonly reachable: number;
  readonly routes: number;
  /** Sections of channels' presence that other nodes have told. */
  readonly presenceSections: number;
  /** Times that it was cut off for longer than its lease, and came back as another incarnation. */
  readonly isolations: number;
}

/** What a broker counts. All grow, but those that say what is the case now. */
export interface BrokerFigures {
  /** Its clients but the subscriber: times that one was replaced, that it could not be, and that it had to be shown another primary. */
  readonly clientsReplaced: number;
  readonly clientReplacementsFailed: number;
  readonly clientsRerouted: number;
  readonly subscribersReplaced: number;
  readonly subscriberReplacementsFailed: number;
  readonly laneProbes: number;
  readonly laneProbesLost: number;
  /** Times that a lane stopped working. */
  readonly laneFailures: number;
  /** Times that slots went from one primary to another. */
  readonly topologyChanges: number;
  /** Times that a shard did not answer. */
  readonly shardFailures: number;
  /** Times that a primary began anew. */
  readonly shardRestarts: number;
  /** Times that a replica that had answered did not in time. */
  readonly lateReplicas: number;
  readonly routeReads: number;
  readonly routeReadBatches: number;
  readonly routeReadsRefused: number;
  /** Now. */
  readonly lanesDown: number;
  /** Now: shards that do not answer. */
  readonly shardsFailing: number;
}

/** The same, and what the log's own connections to Valkey count. */
export interface ValkeyFigures extends BrokerFigures {
  readonly logClientsReplaced: number;
  readonly logClientReplacementsFailed: number;
}

/** Of a node in a cluster. */
export const clusterMetrics: readonly MetricRow<ClusterFigures>[] = [
  gauge("fanfare_cluster_nodes", "Nodes that this one knows to be alive, itself included.", "nodes"),
  gauge(
    "fanfare_cluster_reachable",
    "1 if others can be reached and the lease is renewed, as `/readyz` has it.",
    "reachable",
  ),
  totalBy("fanfare_cluster_node_events_total", "Other nodes that came and went.", "event", [
    ["joined", "nodesJoined"],
    ["left", "nodesLeft"],
    ["lost", "nodesLost"],
  ]),
  total(
    "fanfare_cluster_isolations_total",
    "Times that this node was cut off for longer than its lease and sent its clients away.",
    "isolations",
  ),
  gauge("fanfare_routes", "Channels on whose route this node is.", "routes"),
  total(
    "fanfare_routes_reasserted_total",
    "Routes written again, because they may have been lost.",
    "routesReasserted",
  ),
  total("fanfare_routes_lost_total", "Of them, routes that had been lost; subscribers are told.", "routesLost"),
  total(
    "fanfare_routes_healed_total",
    "Leftover routes that were removed when a message came by them.",
    "routesHealed",
  ),
  totalBy("fanfare_route_fallbacks_total", "Reads of a route that failed, by where messages went instead.", "to", [
    ["everybody", "routesToEverybody"],
    ["nobody", "routesUnreachable"],
  ]),
  totalBy("fanfare_sessions_arrived_total", "Sessions of other nodes that came here, by how.", "how", [
    ["handed_over", "sessionsHandedOverIn"],
    ["released", "sessionsReleasedIn"],
    ["owner_lost", "sessionsLostIn"],
  ]),
  total("fanfare_sessions_departed_total", "Sessions of this node that went on at another.", "sessionsOut"),
  gauge("fanfare_presence_sections", "Sections of presence that other nodes have told.", "presenceSections"),
];

/** Of what connects it with others. */
export const brokerMetrics: readonly MetricRow<ValkeyFigures>[] = [
  gauge("fanfare_broker_lanes_down", "Lanes of this node's inbox that do not work.", "lanesDown"),
  gauge("fanfare_broker_shards_failing", "Shards that do not answer.", "shardsFailing"),
  totalBy("fanfare_broker_clients_replaced_total", "Clients that did not recover and were replaced.", "client", [
    ["commands", "clientsReplaced"],
    ["subscriber", "subscribersReplaced"],
    ["log", "logClientsReplaced"],
  ]),
  totalBy(
    "fanfare_broker_client_replacements_failed_total",
    "Clients that were to be replaced, and nobody could be connected to.",
    "client",
    [
      ["commands", "clientReplacementsFailed"],
      ["subscriber", "subscriberReplacementsFailed"],
      ["log", "logClientReplacementsFailed"],
    ],
  ),
  total(
    "fanfare_broker_clients_rerouted_total",
    "Times that a client went to another node than the primary, and had to be shown it.",
    "clientsRerouted",
  ),
  total("fanfare_broker_lane_probes_total", "Probes of lanes.", "laneProbes"),
  total("fanfare_broker_lane_probes_lost_total", "Probes of lanes that did not arrive in time.", "laneProbesLost"),
  total("fanfare_broker_lane_failures_total", "Times that a lane stopped working.", "laneFailures"),
  totalBy("fanfare_broker_shard_events_total", "What happened to shards.", "event", [
    ["another_primary", "topologyChanges"],
    ["failed", "shardFailures"],
    ["began_anew", "shardRestarts"],
    ["replica_late", "lateReplicas"],
  ]),
  total("fanfare_broker_route_reads_total", "Routes read.", "routeReads"),
  total("fanfare_broker_route_read_batches_total", "Calls by which routes were read.", "routeReadBatches"),
  total(
    "fanfare_broker_route_reads_refused_total",
    "Reads whose answer was not believed, because another primary may serve the slot.",
    "routeReadsRefused",
  ),
];
