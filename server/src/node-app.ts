import type { Channel } from "@fanfare/proto/v1";
import type { ResolvedApp } from "./config/resolved-config.ts";
import type { ControlApp } from "./control/control-context.ts";
import type { GatewayApp, GatewayContext } from "./gateway/gateway-context.ts";
import { AppHub } from "./hub/app-hub.ts";
import { ClusterPresence } from "./hub/cluster-presence.ts";
import { ClusterSessions, type ClusterSessionsOptions } from "./hub/cluster-sessions.ts";
import { FanOut } from "./hub/fan-out.ts";
import type { Session } from "./hub/session.ts";
import type { CoalescedCursors } from "./log/coalesced-cursors.ts";
import type { MessageLog } from "./log/message-log.ts";
import { NamespaceRegistry } from "./namespace/namespace-registry.ts";
import { type RandomBytes, randomId } from "./random.ts";
import type { Cluster } from "./router/cluster/cluster.ts";
import { Router } from "./router/router.ts";

/** What an app takes from its node. */
export interface NodeAppSurroundings extends Pick<GatewayContext, "config" | "clock" | "counters" | "log"> {
  readonly messageLog: MessageLog;
  readonly cursors: CoalescedCursors;
  readonly incarnation: bigint;
  readonly random: RandomBytes;
  /** Undefined: the node is alone. */
  readonly cluster: Cluster | undefined;
  /** Takes over what stands against a player. */
  readonly applyStanding: (appId: string, ...args: Parameters<ClusterSessionsOptions["applyStanding"]>) => void;
}

/** One app of a node, from its first definition to its end. Another definition changes it in place. */
export class NodeApp implements GatewayApp, ControlApp {
  readonly hub: AppHub;
  readonly router: Router<Session>;
  readonly sessions: ClusterSessions | undefined;
  readonly presence: ClusterPresence | undefined;
  readonly #cluster: Cluster | undefined;
  #definition: ResolvedApp;

  constructor(definition: ResolvedApp, surroundings: NodeAppSurroundings) {
    const { clock, counters, config, messageLog, cursors, log, cluster, incarnation, random } = surroundings;
    const { id: appId } = definition;
    this.#definition = definition;
    this.#cluster = cluster;
    const namespaces = new NamespaceRegistry(definition, {
      maxPayloadBytes: config.limits.maxPayloadBytes,
      canReplicate: config.valkey !== undefined,
    });
    const { resumeWindowMs } = config.timing;
    this.presence = cluster && new ClusterPresence({ appId, cluster, clock, resumeWindowMs });
    this.hub = new AppHub({
      appId,
      namespaces,
      messageLog,
      cursors,
      log,
      clock,
      timing: config.timing,
      limits: config.limits,
      counters,
      fanOut: new FanOut(clock),
      section: incarnation,
      randomOrigin: () => randomId(random),
      randomSessionId: () => Buffer.from(random(16)).toString("base64url"),
      clusterPresence: this.presence,
      routes: cluster && {
        hold: (key) => cluster.routes.hold({ appId, key }),
        release: (key) => cluster.routes.release({ appId, key }),
      },
    });
    const policyFor = (channel: Channel) => namespaces.policyFor(channel);
    this.router = new Router<Session>({ appId, local: this.hub, messageLog, clock, counters, policyFor, cluster });
    const applyStanding: ClusterSessionsOptions["applyStanding"] = (...args) =>
      surroundings.applyStanding(appId, ...args);
    this.sessions =
      cluster && new ClusterSessions({ hub: this.hub, cluster, clock, log, resumeWindowMs, applyStanding });
  }

  /** As configured, or as it was put last. */
  get definition(): ResolvedApp {
    return this.#definition;
  }

  get allowedOrigins(): readonly string[] {
    return this.#definition.allowedOrigins;
  }

  get leewayS(): number {
    return this.#definition.playerAuth.leewayS;
  }

  /** Goes on by another definition of the same app; connected sessions stay. */
  redefine(definition: ResolvedApp): void {
    this.#definition = definition;
    this.hub.namespaces.redefine(definition);
  }

  /** The app is gone: its clients are closed. */
  close(): void {
    this.hub.close();
    this.sessions?.close();
    this.presence?.close();
    this.#cluster?.detach(this.hub.appId);
  }
}
