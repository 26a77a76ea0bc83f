import type { Node } from "@fanfare/proto/control/v1";
import type { ApiKeys } from "../auth/api-keys.ts";
import type { Bans } from "../auth/bans.ts";
import type { Revocations } from "../auth/revocations.ts";
import type { Clock } from "../clock.ts";
import type { ResolvedConfig } from "../config/resolved-config.ts";
import type { AppHub } from "../hub/app-hub.ts";
import type { ClusterPresence } from "../hub/cluster-presence.ts";
import type { ClusterSessions } from "../hub/cluster-sessions.ts";
import type { Session } from "../hub/session.ts";
import type { SettingsSync } from "../hub/settings-sync.ts";
import type { NodeApps } from "../node-apps.ts";
import type { Counters } from "../observe/counters.ts";
import type { Log } from "../observe/log.ts";
import type { Cluster } from "../router/cluster/cluster.ts";
import type { Producer } from "../router/producer.ts";
import type { Router } from "../router/router.ts";

/** One app, as the control API sees it. */
export interface ControlApp {
  readonly hub: AppHub;
  readonly router: Router<Session>;
  /** Undefined: this node is alone. */
  readonly sessions: ClusterSessions | undefined;
  readonly presence: ClusterPresence | undefined;
}

/** The node that the control API tells what to do. */
export interface ControlNode {
  readonly config: ResolvedConfig;
  /** This run of the node. */
  readonly incarnation: bigint;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
  readonly apps: ReadonlyMap<string, ControlApp>;
  readonly appTable: Pick<NodeApps, "areTenants">;
  /** Of the apps that there are now. */
  readonly apiKeys: ApiKeys;
  readonly bans: Bans;
  readonly revocations: Revocations;
  /** Gives the control API's messages their identity. */
  readonly producer: Producer;
  /** Undefined: this node is alone. */
  readonly cluster: Cluster | undefined;
  /** What was set at run time; undefined: this node is alone. */
  readonly settings: SettingsSync | undefined;
  /** The node as it is now. */
  describe(): Node;
}

/** How a drain is asked for; undefined: as configured. */
export interface DrainWish {
  readonly windowMs?: number;
  readonly deadlineMs?: number;
}

/** Some clients too many. */
export interface SendAwayWish {
  readonly sessions: number;
  readonly windowMs: number;
}

/** Sends some clients away, to whatever node they come; returns how many were told. */
export type SendAway = (wish: SendAwayWish) => { readonly told: number };

/** What the control API can do to the node's connections. */
export interface NodeActions {
  readonly beginDrain: BeginDrain;
  readonly sendAway: SendAway;
}

/** Begins to send every client away; returns how many were told. */
export type BeginDrain = (wish: DrainWish) => { readonly told: number };
