import { create } from "@bufbuild/protobuf";
import { type Node, NodeSchema, NodeState } from "@fanfare/proto/control/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import { ApiKeys } from "./auth/api-keys.ts";
import { Bans } from "./auth/bans.ts";
import { fetchKeySet } from "./auth/key-set-fetch.ts";
import { PlayerTokenVerifier, type VerifiedToken } from "./auth/player-token.ts";
import { ResumeSecrets } from "./auth/resume-secret.ts";
import { Revocations } from "./auth/revocations.ts";
import type { Broker } from "./broker/broker.ts";
import type { Standing } from "./broker/standing-store.ts";
import type { Clock } from "./clock.ts";
import type { ResolvedConfig } from "./config/resolved-config.ts";
import { FanfareError } from "./fanfare-error.ts";
import { Admission } from "./gateway/admission.ts";
import { FlushScheduler } from "./gateway/flush-scheduler.ts";
import type { GatewayContext } from "./gateway/gateway-context.ts";
import type { ClusterSessions } from "./hub/cluster-sessions.ts";
import type { Credentials } from "./hub/session.ts";
import { SettingsSync } from "./hub/settings-sync.ts";
import { CoalescedCursors } from "./log/coalesced-cursors.ts";
import type { DurableStores } from "./log/durable-stores.ts";
import { MemoryCursorStore } from "./log/memory/memory-cursor-store.ts";
import { MemoryMessageLog } from "./log/memory/memory-message-log.ts";
import type { MessageLog } from "./log/message-log.ts";
import type { NodeApp } from "./node-app.ts";
import { NodeApps } from "./node-apps.ts";
import type { ClusterFigures } from "./observe/cluster-metrics.ts";
import { Counters } from "./observe/counters.ts";
import { LinkCounters } from "./observe/link-counters.ts";
import type { Log } from "./observe/log.ts";
import { type RandomBytes, randomId, randomTag, systemRandom } from "./random.ts";
import { Cluster, clusterRevision, leastClusterRevision, type NodeLinks } from "./router/cluster/cluster.ts";
import type { LinkReceiver } from "./router/links/link-port.ts";
import { Links } from "./router/links/links.ts";
import { Producer } from "./router/producer.ts";
import { version } from "./version.ts";

/** What a node is made of. */
export interface NodeOptions {
  readonly config: ResolvedConfig;
  readonly clock: Clock;
  readonly log: Log;
  /** Where durable channels are kept, closed by whoever gives it. Default: in memory, gone with the node. */
  readonly stores?: DurableStores;
  /** Connects it with other nodes; the broker is closed by whoever gives it. Default: it is alone. */
  readonly cluster?: {
    readonly broker: Broker;
    /** Default: over the broker's lanes. */
    readonly openLinks?: (receiver: LinkReceiver) => NodeLinks;
    /** Life of the lease under which others know it, in milliseconds. Default: that of {@link NodeTable}. */
    readonly leaseMs?: number;
  };
  /** The newest revision of the cluster protocol that it speaks. Default: {@link clusterRevision}; the one before is for tests of two releases side by side. */
  readonly clusterRevision?: number;
  /** Default: the machine's own. */
  readonly random?: RandomBytes;
  /** Verifies a player's token, as {@link PlayerTokenVerifier} does by the keys of the configuration, which is the default. */
  readonly verifyToken?: (token: string) => Promise<VerifiedToken>;
}

/** One run of the server, without its sockets: the apps and what they share. */
export class FanfareNode implements GatewayContext, AsyncDisposable {
  readonly config: ResolvedConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly counters = new Counters();
  readonly linkCounters = new LinkCounters();
  readonly scheduler: FlushScheduler;
  readonly admission: Admission;
  readonly resumeSecrets: ResumeSecrets;
  /** Those that are served now. */
  readonly apps: ReadonlyMap<string, NodeApp>;
  /** All of them, and how they come and go. */
  readonly appTable: NodeApps;
  readonly apiKeys = new ApiKeys();
  readonly messageLog: MessageLog;
  readonly cursors: CoalescedCursors;
  readonly bans: Bans;
  readonly revocations: Revocations;
  readonly incarnation: bigint;
  readonly producer: Producer;
  readonly startedAtMs: number;
  state: NodeState.READY | NodeState.DRAINING = NodeState.READY;
  /** Undefined: this node is alone. */
  readonly cluster: Cluster | undefined;
  /** What was set at run time; undefined: this node is alone, and keeps it itself. */
  readonly settings: SettingsSync | undefined;
  readonly #isolated = Promise.withResolvers<void>();
  readonly #random: RandomBytes;
  readonly #verifyToken: (token: string) => Promise<VerifiedToken>;

  constructor(options: NodeOptions) {
    const { config, clock, log, stores, random = systemRandom, verifyToken } = options;
    this.config = config;
    this.clock = clock;
    this.log = log;
    this.#random = random;
    this.incarnation = randomId(random);
    this.producer = new Producer(randomId(random));
    this.startedAtMs = clock.nowMs();
    this.scheduler = new FlushScheduler(clock, config.timing.maxLingerMs);
    this.admission = new Admission(config.limits, clock, this.counters);
    this.resumeSecrets = new ResumeSecrets(config.clusterKeys);
    this.messageLog = stores?.messageLog ?? new MemoryMessageLog({ clock, randomTag: () => randomTag(random) });
    this.cursors = new CoalescedCursors(stores?.cursorStore ?? new MemoryCursorStore(clock), clock);
    const standing = { apps: () => this.apps.size, isCopy: options.cluster !== undefined };
    this.bans = new Bans(() => clock.nowMs(), standing);
    this.revocations = new Revocations(() => clock.nowMs(), standing);
    this.cluster = options.cluster && this.#openCluster(options.cluster, options.clusterRevision);
    const { counters, messageLog, cursors, incarnation, cluster } = this;
    const ofAll = { config, clock, counters, log, messageLog, cursors, incarnation, random, cluster };
    const applyStanding = this.#applyStanding;
    this.appTable = new NodeApps({ ...ofAll, applyStanding }, this.apiKeys);
    this.apps = this.appTable.served;
    const verifier = new PlayerTokenVerifier({
      ...{ apps: this.appTable.definitions, clock, fetch: fetchKeySet, log },
      lookAgain: async () => await this.settings?.lookAgain(),
    });
    this.appTable.onRemoved = (appId) => verifier.forget(appId);
    this.#verifyToken = verifyToken ?? ((token) => verifier.verify(token));
    if (this.cluster !== undefined) {
      answerForSessions(this.cluster, this.apps);
      listenForPresence(this.cluster, this.apps);
    }
    this.settings = this.cluster && this.#openSettings(this.cluster);
  }

  readonly authenticate = async (token: string): Promise<Credentials> => {
    const verified = await this.#verifyToken(token);
    // In a cluster the store is asked what stands against the player, after which it is checked.
    if (this.cluster === undefined) this.checkStanding(verified);
    return verified;
  };

  readonly checkStanding = ({ appId, playerId, issuedAtMs }: Credentials): void => {
    this.bans.check(appId, playerId);
    this.revocations.check(appId, playerId, issuedAtMs);
  };

  /** Settles when the others count this node as dead, because it was cut off from the broker: its clients have to go. */
  get isolated(): Promise<void> {
    return this.#isolated.promise;
  }

  /** Makes the node known to all others. At once where there are none. @throws FanfareError UNAVAILABLE */
  async open(): Promise<void> {
    await this.settings?.open();
    await this.cluster?.join();
    // From now on it is told; what was set since it has read was told to nobody but the others.
    await this.settings?.lookAgain().catch((reason: unknown) => {
      this.log.warn("the settings could not be looked at again yet", { reason: String(reason) });
    });
  }

  /** Writes the cursors that wait to be written, and says farewell. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.settings?.close();
    for (const { presence } of this.apps.values()) presence?.close();
    await this.cursors[Symbol.asyncDispose]();
    await this.cluster?.[Symbol.asyncDispose]();
  }

  /** The node as the control API shows it. */
  describe(): Node {
    return create(NodeSchema, {
      nodeId: this.config.nodeId,
      incarnation: this.incarnation,
      state: this.#isCutOff ? NodeState.ISOLATED : this.state,
      version,
      startedAtMs: BigInt(Math.trunc(this.startedAtMs)),
      connections: this.counters.connections,
      sessions: this.counters.sessions,
      broker: this.cluster === undefined ? "memory" : "valkey",
    });
  }

  /** It is not in its cluster, or not yet. One that drains says so to the end. */
  get #isCutOff(): boolean {
    return this.state === NodeState.READY && this.cluster?.nodes.isMember === false;
  }

  /** What it knows of its cluster; undefined: it is alone. */
  clusterFigures(): Omit<ClusterFigures, "isolations" | "reachable"> | undefined {
    const { cluster } = this;
    if (cluster === undefined) return undefined;
    const sections = [...this.apps.values()].map(({ presence }) => presence?.sections ?? 0);
    return {
      ...cluster.counters,
      nodes: cluster.peers.length + 1,
      routes: cluster.routes.size,
      presenceSections: sections.reduce((sum, some) => sum + some, 0),
    };
  }

  #openCluster(
    { broker, openLinks, leaseMs }: NonNullable<NodeOptions["cluster"]>,
    maxRevision = clusterRevision,
  ): Cluster {
    const { clock, log, incarnation, config, linkCounters } = this;
    const { lanes } = broker;
    const random = (): number => Number(randomId(this.#random) >> 12n) / 2 ** 52;
    const { sharedPeers, laneTimeoutMs } = config.valkey ?? {};
    const options = {
      maxRevision,
      ...(sharedPeers !== undefined && { sharedPeers }),
      ...(laneTimeoutMs !== undefined && { publishTimeoutMs: laneTimeoutMs }),
    };
    const parts = { self: incarnation, lanes, clock, log, random, counters: linkCounters, options };
    return new Cluster({
      broker,
      openLinks: openLinks ?? ((receiver) => new Links({ ...parts, receiver })),
      clock,
      log,
      incarnation,
      describe: () => ({
        nodeId: config.nodeId,
        version,
        minRevision: leastClusterRevision,
        maxRevision,
        startedAtMs: BigInt(Math.trunc(this.startedAtMs)),
        connections: this.counters.connections,
        sessions: this.counters.sessions,
        settingsVersion: BigInt(this.settings?.version ?? 0),
        settingsRevision,
        clientUrl: "",
        lanes: lanes.count,
        clusterKeys: [...this.resumeSecrets.fingerprints],
      }),
      onIsolated: () => this.#isolated.resolve(),
      ...(leaseMs && { leaseMs }),
    });
  }

  readonly #applyStanding = (appId: string, playerId: string, standing: Standing): void => {
    const { bannedUntilMs, banReason, revokedBeforeMs } = standing;
    if (bannedUntilMs === undefined) this.bans.unban(appId, playerId);
    else this.bans.banUntil(appId, playerId, bannedUntilMs, banReason);
    if (revokedBeforeMs > 0) this.revocations.revoke(appId, playerId, revokedBeforeMs);
  };

  #openSettings(cluster: Cluster): SettingsSync {
    const { clock, log, apps, appTable } = this;
    const settings = new SettingsSync({
      store: cluster.broker.settings,
      applyApps: (put, hasLost) => appTable.apply(put, hasLost),
      namespacesOf: (appId) => apps.get(appId)?.hub.namespaces,
      ...{ clock, log },
    });
    cluster.answer("settings", async (_from, { question }) => {
      if (question.case !== "settings") return nothing;
      const { version, appId } = question.value;
      await settings.atLeast(Number(version));
      if (settings.version < Number(version)) {
        throw new FanfareError(ErrorCode.UNAVAILABLE, "this node cannot read the settings now; it will");
      }
      const problem = appTable.problemOf(appId);
      if (problem !== "") throw new FanfareError(ErrorCode.FAILED_PRECONDITION, problem);
      return nothing;
    });
    // What a lost word did not tell is seen at the next renewal.
    cluster.onNode(({ settingsVersion }) => void settings.atLeast(Number(settingsVersion)));
    return settings;
  }
}

/** Other nodes ask for sessions that have come back to them, and tell of memberships. */
function answerForSessions(cluster: Cluster, apps: ReadonlyMap<string, NodeApp>): void {
  const sessionsOf = (appId: string): ClusterSessions => {
    const sessions = apps.get(appId)?.sessions;
    if (sessions === undefined) throw new FanfareError(ErrorCode.NOT_FOUND, `the app "${appId}" is not served here`);
    return sessions;
  };
  cluster.answer("releaseSession", (from, { appId, question }) =>
    question.case === "releaseSession" ? sessionsOf(appId).onRelease(question.value, from) : nothing,
  );
  cluster.answer("finishHandOver", (_from, { appId, question }) =>
    question.case === "finishHandOver" ? sessionsOf(appId).onFinish(question.value) : nothing,
  );
  cluster.answer("endSession", (_from, { appId, question }) =>
    question.case === "endSession" ? sessionsOf(appId).onEnd(question.value) : nothing,
  );
  cluster.answer("playerConnections", (_from, { appId, question }) => {
    const playerId = question.case === "playerConnections" ? question.value.playerId : "";
    return { case: "playerConnections", value: sessionsOf(appId).connectionsOf(playerId) };
  });
  cluster.answer("membership", async (_from, { appId, question }) => {
    if (question.case === "membership") await sessionsOf(appId).applyMembership(question.value);
    return nothing;
  });
}

/** Other nodes watch this one's sections, and tell of theirs. */
function listenForPresence(cluster: Cluster, apps: ReadonlyMap<string, NodeApp>): void {
  cluster.onRecord("presence", (from, { kind }) => {
    if (kind.case === "presence") apps.get(kind.value.appId)?.presence?.onSection(from, kind.value);
  });
  cluster.answer("presencePlayers", (_from, { appId, question }) => {
    const key = question.case === "presencePlayers" ? question.value.channelKey : "";
    const value = apps.get(appId)?.presence?.playersOf(key) ?? { players: [], tooMany: false };
    return { case: "presencePlayers", value };
  });
  cluster.onRecord("presenceWatch", (from, { kind }) => {
    if (kind.case === "presenceWatch") apps.get(kind.value.appId)?.presence?.onWatch(from, kind.value);
  });
}

/** What this node understands of the settings: namespaces and apps. */
const settingsRevision = 1;

const nothing = { case: "done" as const, value: {} };
