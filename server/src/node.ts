import { create } from "@bufbuild/protobuf";
import { type Node, NodeSchema, NodeState } from "@fanfare/proto/control/v1";
import type { Channel } from "@fanfare/proto/v1";
import { Bans } from "./auth/bans.ts";
import { fetchKeySet } from "./auth/key-set-fetch.ts";
import { PlayerTokenVerifier, type VerifiedToken } from "./auth/player-token.ts";
import { ResumeSecrets } from "./auth/resume-secret.ts";
import { Revocations } from "./auth/revocations.ts";
import type { Clock } from "./clock.ts";
import type { ResolvedApp, ResolvedConfig } from "./config/resolved-config.ts";
import { Admission } from "./gateway/admission.ts";
import { FlushScheduler } from "./gateway/flush-scheduler.ts";
import type { GatewayApp, GatewayContext } from "./gateway/gateway-context.ts";
import { AppHub } from "./hub/app-hub.ts";
import { FanOut } from "./hub/fan-out.ts";
import type { Credentials, Session } from "./hub/session.ts";
import { CoalescedCursors } from "./log/coalesced-cursors.ts";
import type { DurableStores } from "./log/durable-stores.ts";
import { MemoryCursorStore } from "./log/memory/memory-cursor-store.ts";
import { MemoryMessageLog } from "./log/memory/memory-message-log.ts";
import type { MessageLog } from "./log/message-log.ts";
import { NamespaceRegistry } from "./namespace/namespace-registry.ts";
import { Counters } from "./observe/counters.ts";
import type { Log } from "./observe/log.ts";
import { type RandomBytes, randomId, randomTag, systemRandom } from "./random.ts";
import { Producer } from "./router/producer.ts";
import { Router } from "./router/router.ts";
import { version } from "./version.ts";

/** What a node is made of. */
export interface NodeOptions {
  readonly config: ResolvedConfig;
  readonly clock: Clock;
  readonly log: Log;
  /** Where durable channels are kept, closed by whoever gives it. Default: in memory, gone with the node. */
  readonly stores?: DurableStores;
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
  readonly scheduler: FlushScheduler;
  readonly admission: Admission;
  readonly resumeSecrets: ResumeSecrets;
  readonly apps: ReadonlyMap<string, GatewayApp>;
  readonly messageLog: MessageLog;
  readonly cursors: CoalescedCursors;
  readonly bans: Bans;
  readonly revocations: Revocations;
  readonly incarnation: bigint;
  readonly producer: Producer;
  readonly startedAtMs: number;
  state: NodeState.READY | NodeState.DRAINING = NodeState.READY;
  readonly #random: RandomBytes;
  readonly #verifyToken: (token: string) => Promise<VerifiedToken>;

  constructor({ config, clock, log, stores, random = systemRandom, verifyToken }: NodeOptions) {
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
    this.bans = new Bans(() => clock.nowMs());
    this.revocations = new Revocations(() => clock.nowMs());
    const verifier = new PlayerTokenVerifier({ apps: config.apps, clock, fetch: fetchKeySet, log });
    this.#verifyToken = verifyToken ?? ((token) => verifier.verify(token));
    this.apps = new Map([...config.apps].map(([id, app]) => [id, this.#openApp(app)]));
  }

  readonly authenticate = async (token: string): Promise<Credentials> => {
    const verified = await this.#verifyToken(token);
    this.checkStanding(verified);
    return verified;
  };

  readonly checkStanding = ({ appId, playerId, issuedAtMs }: Credentials): void => {
    this.bans.check(appId, playerId);
    this.revocations.check(appId, playerId, issuedAtMs);
  };

  /** Writes the cursors that wait to be written. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.cursors[Symbol.asyncDispose]();
  }

  /** The node as the control API shows it. */
  describe(): Node {
    return create(NodeSchema, {
      nodeId: this.config.nodeId,
      incarnation: this.incarnation,
      state: this.state,
      version,
      startedAtMs: BigInt(Math.trunc(this.startedAtMs)),
      connections: this.counters.connections,
      sessions: this.counters.sessions,
      broker: "memory",
    });
  }

  #openApp(app: ResolvedApp): GatewayApp {
    const { clock, counters, config, messageLog, cursors, log } = this;
    const namespaces = new NamespaceRegistry(app, {
      maxPayloadBytes: config.limits.maxPayloadBytes,
      canReplicate: config.valkey !== undefined,
    });
    const hub = new AppHub({
      appId: app.id,
      namespaces,
      messageLog,
      cursors,
      log,
      clock,
      timing: config.timing,
      limits: config.limits,
      counters,
      fanOut: new FanOut(clock),
      section: this.incarnation,
      randomOrigin: () => randomId(this.#random),
      randomSessionId: () => Buffer.from(this.#random(16)).toString("base64url"),
    });
    const policyFor = (channel: Channel) => namespaces.policyFor(channel);
    const router = new Router<Session>({ appId: app.id, local: hub, messageLog, clock, counters, policyFor });
    return { hub, router, allowedOrigins: app.allowedOrigins, leewayS: app.playerAuth.leewayS };
  }
}
