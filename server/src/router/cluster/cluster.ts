import { fromBinary } from "@bufbuild/protobuf";
import {
  type Ask,
  type Record as ClusterRecord,
  type LiveMessage,
  type NodeRecord,
  RecordSchema,
  type StoredMessage,
} from "@fanfare/proto/cluster/v1alpha";
import { ErrorCode } from "@fanfare/proto/v1";
import type { Broker } from "../../broker/broker.ts";
import type { AppChannel } from "../../broker/route-store.ts";
import type { Clock } from "../../clock.ts";
import { FanfareError } from "../../fanfare-error.ts";
import { ClusterCounters } from "../../observe/cluster-counters.ts";
import type { Log } from "../../observe/log.ts";
import { broadcastKey, type ChannelKey } from "../../wire/channel-key.ts";
import { encodeHead } from "../links/batch-encoding.ts";
import type { LinkPort, LinkReceiver } from "../links/link-port.ts";
import type { LocalReport } from "../local-delivery.ts";
import { type Answerer, type AnswerResult, Asks, recordBytes } from "./asks.ts";
import { Greetings, type GreetingsOptions } from "./greetings.ts";
import { LocalRoutes } from "./local-routes.ts";
import { NodeDifferences } from "./node-differences.ts";
import { NodeTable } from "./node-table.ts";
import { RemoteDelivery } from "./remote-delivery.ts";
import { RouteResolver, type Targets } from "./route-resolver.ts";

/** Revisions of the protocol between nodes that this version speaks. */
export const clusterRevision = 2;
export const leastClusterRevision = 1;

/** What a {@link Cluster} is made of. */
export interface ClusterOptions {
  readonly broker: Broker;
  /** Makes the links of this incarnation. */
  readonly openLinks: (receiver: LinkReceiver) => NodeLinks;
  readonly clock: Clock;
  readonly log: Log;
  readonly incarnation: bigint;
  readonly describe: () => Omit<NodeRecord, "$typeName" | "$unknown" | "incarnation" | "state">;
  /** This node is cut off for longer than its lease lives: it must send its clients away. */
  readonly onIsolated: () => void;
  /** Life of a lease, in milliseconds. Default: that of {@link NodeTable}. */
  readonly leaseMs?: number;
}

/** The links of a node, which receive from `listen` on. */
export type NodeLinks = LinkPort & Disposable & { listen(): Promise<void> };

/** One app of a node, as other nodes reach it. */
export interface ClusterApp {
  /** Undefined: nobody here has the channel. */
  receiveLive(message: LiveMessage, done: (report: LocalReport | "refused") => void): boolean;
  receiveStored(message: StoredMessage, done: (report: LocalReport | "refused") => void): boolean;
  /** Messages of these channels may be missing: of live ones that is told as a gap, of durable ones looked for in their logs, as by `lookAgain`. */
  missed(isAffected: (key: ChannelKey) => boolean): void;
  /** Of durable channels something may be stored that nobody has told. */
  lookAgain(isAffected: (key: ChannelKey) => boolean): void;
}

/** Questions that parts of the node answer by themselves. */
export type QuestionCase = NonNullable<Ask["question"]["case"]>;

/** How long a node that says farewell may still be answered, in milliseconds. */
const farewellMs = 20;

/**
 * This node among the others: who they are, what goes to them, and what comes from them.
 *
 * | state | event | next |
 * |---|---|---|
 * | joining | every node that is alive knows this one | ready |
 * | ready | drained | draining: lease and routes stay |
 * | any | closed | gone: routes removed, the others told, the lease ended |
 * | any | no renewal for the life of the lease | isolated; its clients go, and it closes |
 */
export class Cluster implements LinkReceiver, AsyncDisposable {
  readonly incarnation: bigint;
  readonly counters = new ClusterCounters();
  readonly broker: Broker;
  readonly nodes: NodeTable;
  readonly routes: LocalRoutes;
  readonly resolver: RouteResolver;
  readonly delivery: RemoteDelivery;
  readonly links: NodeLinks;
  readonly #options: ClusterOptions;
  readonly #asks: Asks;
  readonly #greetings: Greetings;
  readonly #differences: NodeDifferences;
  readonly #apps = new Map<string, ClusterApp>();
  readonly #answerers = new Map<QuestionCase, Answerer>();
  readonly #deathListeners = new Set<(incarnation: bigint, hasLeft: boolean) => void>();
  readonly #nodeListeners = new Set<(node: NodeRecord) => void>();
  readonly #recordListeners = new Map<ClusterRecord["kind"]["case"], (from: bigint, record: ClusterRecord) => void>();

  constructor(options: ClusterOptions) {
    const { broker, clock, log, incarnation } = options;
    const { counters } = this;
    this.#options = options;
    this.broker = broker;
    this.incarnation = incarnation;
    this.links = options.openLinks(this);
    this.#asks = new Asks(this.links, clock, (from, ask) => this.#answer(from, ask));
    this.delivery = new RemoteDelivery(this.links, clock);
    this.resolver = new RouteResolver({ store: broker.routes, clock, log, counters });
    this.routes = new LocalRoutes({
      store: broker.routes,
      incarnation,
      clock,
      log,
      counters,
      onLost: ({ appId, key }) => this.#apps.get(appId)?.missed((one) => one === key),
    });
    this.nodes = new NodeTable({
      registry: broker.registry,
      clock,
      log,
      counters,
      incarnation,
      describe: options.describe,
      heardAtMs: (peer) => this.links.heardAtMs(peer),
      isListening: (peer) => this.#isListening(peer),
      onJoined: (peer, hasGreeted) => {
        this.links.addPeer(peer, this.nodes.peers.get(peer)?.maxRevision);
        if (!hasGreeted) this.#greetings.found(peer);
      },
      onDead: (peer, hasLeft) => this.#buried(peer, hasLeft),
      onUncleared: (peer) => this.#sweep(peer),
      onChanged: (node) => this.#changed(node),
      onLapsed: options.onIsolated,
      ...(options.leaseMs && { leaseMs: options.leaseMs }),
    });
    const own = { ...options.describe(), incarnation };
    this.#differences = new NodeDifferences({ own, clock, log, leaseMs: this.nodes.leaseMs });
    const isListening = (peer: bigint) => this.#isListening(peer);
    const ask: GreetingsOptions["ask"] = (...args) => this.ask(...args);
    const { nodes } = this;
    this.#greetings = new Greetings({ nodes, clock, log, ask, isListening, onMetLate: () => this.#missedAnything() });
    broker.routes.onUnsettled((isAffected) => {
      for (const [appId, app] of this.#apps) app.lookAgain((key) => isAffected({ appId, key }));
    });
    this.answer("barrier", async () => {
      await this.resolver.barrier();
      return { case: "done", value: {} };
    });
    this.answer("greeting", (from, { question }) => {
      if (question.case === "greeting") this.#greetings.received(from, question.value.node);
      return { case: "done", value: {} };
    });
    this.answer("farewell", (from) => {
      // Behind the answer, which its link still carries.
      clock.setTimer(farewellMs, () => this.nodes.bury(from, true));
      return { case: "done", value: {} };
    });
  }

  /** An app takes part. */
  attach(appId: string, app: ClusterApp): void {
    this.#apps.set(appId, app);
  }

  /** It is gone: nothing that comes for it finds anybody. */
  detach(appId: string): void {
    this.#apps.delete(appId);
  }

  /** Who answers a kind of question. */
  answer(question: QuestionCase, answerer: Answerer): void {
    this.#answerers.set(question, answerer);
  }

  /** Who handles a kind of record that is not handled here. */
  onRecord(kind: ClusterRecord["kind"]["case"], listener: (from: bigint, record: ClusterRecord) => void): void {
    this.#recordListeners.set(kind, listener);
  }

  /** Somebody has described itself anew. */
  onNode(listener: (node: NodeRecord) => void): void {
    this.#nodeListeners.add(listener);
  }

  /** A node is gone: in order, with nothing of it left, or not. Returns how to stop listening. */
  onDeath(listener: (incarnation: bigint, hasLeft: boolean) => void): () => void {
    this.#deathListeners.add(listener);
    return () => void this.#deathListeners.delete(listener);
  }

  /** Others can be reached, and this node's lease is renewed. */
  get isHealthy(): boolean {
    return this.broker.health.isHealthy && this.nodes.isReachable;
  }

  /** Other nodes that are alive. */
  get peers(): readonly bigint[] {
    return [...this.nodes.peers.keys()];
  }

  /** Asks another node. See {@link Asks.ask}. */
  ask(...args: Parameters<Asks["ask"]>): ReturnType<Asks["ask"]> {
    return this.#asks.ask(...args);
  }

  /** @throws FanfareError UNAVAILABLE while the others do not know this node, or it does not know them: nothing that concerns all can be done here */
  requireMember(): void {
    if (this.nodes.isMember) return;
    throw new FanfareError(ErrorCode.UNAVAILABLE, "this node is not in its cluster now; try again, or at another node");
  }

  /** Makes this node known to all others, after which it may accept clients. @throws FanfareError UNAVAILABLE */
  async join(): Promise<void> {
    await this.links.listen();
    await this.nodes.open();
    if (!this.nodes.isReachable) {
      throw new FanfareError(ErrorCode.UNAVAILABLE, "most shards of the registry are out of reach");
    }
    await this.#greetings.join();
    await this.nodes.joined();
  }

  /** Tells the others that this node sends its clients away. */
  drain(): Promise<void> {
    return this.nodes.drain();
  }

  /**
   * Settles when every message that another node has routed by older routes than those of now has been received here.
   * @returns false if that is not known, because a node that is there has not answered in time. Of one that has left nothing comes any more
   */
  async barrier(): Promise<boolean> {
    await this.resolver.barrier();
    const asked = this.peers;
    const ask = (peer: bigint) => this.ask(peer, { case: "barrier", value: {} }, { deadlineMs: 3_000 });
    const answers = await Promise.allSettled(asked.map(ask));
    const { peers } = this;
    return asked.every((peer, index) => answers[index]?.status === "fulfilled" || !peers.includes(peer));
  }

  /** Where a message for a channel goes. Broadcast goes to everybody at once; the rest is found out, in the order of the calls. */
  resolve(channel: AppChannel, dispatch: (targets: Targets) => void): void {
    if (channel.key === broadcastKey) dispatch("everybody");
    else this.resolver.resolve(channel, dispatch);
  }

  /** The other nodes among the targets. */
  othersOf(targets: Exclude<Targets, "unreachable">): readonly bigint[] {
    if (targets === "everybody") return this.peers;
    const others = targets.filter((node) => node !== this.incarnation && !this.nodes.isDead(node));
    // One that has just come can be on a route before this node knows it.
    for (const node of others) {
      if (this.nodes.peers.has(node)) continue;
      this.nodes.named(node);
      this.links.addPeer(node);
    }
    return others;
  }

  onRecords(from: bigint, records: readonly Uint8Array[]): void {
    if (this.nodes.isDead(from)) return;
    this.nodes.named(from);
    for (const bytes of records) {
      try {
        this.#receive(from, fromBinary(RecordSchema, bytes));
      } catch (reason) {
        // Its batch is acknowledged all the same: what stands behind it must not suffer.
        this.#options.log.error("a record of another node could not be handled", { reason: String(reason) });
      }
    }
  }

  onLoss(_from: bigint, channels: readonly AppChannel[] | "all"): void {
    if (channels === "all") {
      this.#missedAnything();
      return;
    }
    const ofApp = Map.groupBy(channels, ({ appId }) => appId);
    for (const [appId, lost] of ofApp) {
      const keys = new Set(lost.map(({ key }) => key));
      this.#apps.get(appId)?.missed((key) => keys.has(key));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sweeps.abort();
    await this.routes.leave();
    // What others have routed here by what they knew before comes to an end, and is acknowledged.
    await this.barrier();
    const farewell = { case: "farewell" as const, value: {} };
    await Promise.allSettled(this.peers.map((peer) => this.ask(peer, farewell, { deadlineMs: 500 })));
    await this.nodes.close(await this.routes.close());
    this.links[Symbol.dispose]();
  }

  readonly #sweeps = new AbortController();
  /** Dead nodes whose routes are being removed. */
  readonly #swept = new Set<bigint>();

  #receive(from: bigint, record: ClusterRecord): void {
    const { kind } = record;
    switch (kind.case) {
      case "live":
        return this.#receiveMessage(from, kind.value, (app, done) => app.receiveLive(kind.value, done));
      case "stored":
        return this.#receiveMessage(from, kind.value, (app, done) => app.receiveStored(kind.value, done));
      case "report":
        return this.delivery.onReport(from, kind.value);
      case "ask":
        return this.#asks.onAsk(from, kind.value);
      case "answer":
        return this.#asks.onAnswer(kind.value);
      default:
        this.#recordListeners.get(kind.case)?.(from, record);
    }
  }

  #receiveMessage(
    from: bigint,
    { appId, channelKey: key, reportId, unrouted }: LiveMessage | StoredMessage,
    receive: (app: ClusterApp, done: (report: LocalReport | "refused") => void) => boolean,
  ): void {
    const report = (result: LocalReport | "refused"): void => {
      if (reportId === 0) return;
      const value = result === "refused" ? { id: reportId, refused: true } : { id: reportId, ...result };
      this.links.send(from, { class: "control", bytes: recordBytes({ case: "report", value }) });
    };
    const app = this.#apps.get(appId);
    if (app === undefined) return report({ reached: 0, detached: 0, excluded: 0 });
    const isHere = receive(app, report);
    if (!isHere && !unrouted && key !== broadcastKey) this.routes.heal({ appId, key });
  }

  #answer(from: bigint, ask: Ask): AnswerResult | Promise<AnswerResult> {
    const answerer = ask.question.case && this.#answerers.get(ask.question.case);
    if (answerer === undefined) {
      throw new FanfareError(ErrorCode.UNIMPLEMENTED, "this node does not know the question");
    }
    return answerer(from, ask);
  }

  /** Of any channel something may be missing: a link has lost what it cannot name, or another node and this one did not know each other. */
  #missedAnything(): void {
    for (const app of this.#apps.values()) app.missed(() => true);
  }

  #buried(peer: bigint, hasLeft: boolean): void {
    this.links.removePeer(peer, hasLeft);
    this.delivery.forget(peer, hasLeft);
    this.#asks.forget(peer);
    this.#greetings.forget(peer);
    this.#differences.forget(peer);
    for (const listener of this.#deathListeners) listener(peer, hasLeft);
    if (hasLeft) return;
    // What it stored and did not tell is in the logs.
    for (const app of this.#apps.values()) app.lookAgain(() => true);
    this.#sweep(peer);
  }

  /** One of those that are alive removes the routes of a dead node; as long as its record is in the registry, that was not done. */
  #sweep(dead: bigint): void {
    if (!this.nodes.isFirst || this.#swept.has(dead)) return;
    this.#swept.add(dead);
    const { broker, log } = this.#options;
    broker.routes
      .sweep(dead, this.#sweeps.signal)
      .then(
        (routes) => {
          log.info("routes of a dead node removed", { routes });
          return broker.registry.remove(dead);
        },
        (reason: unknown) => log.warn("routes of a dead node could not be removed", { reason: String(reason) }),
      )
      .catch(() => {})
      .finally(() => this.#swept.delete(dead));
  }

  /** Whether anybody receives what is sent to a node, on any lane; true if that cannot be found out. */
  async #isListening(peer: bigint): Promise<boolean> {
    const { lanes } = this.#options.broker;
    const nothing = encodeHead(leastClusterRevision, this.incarnation, peer);
    const answers = await Promise.allSettled(
      Array.from({ length: lanes.count }, (_, lane) => lanes.publish(lane, peer, nothing)),
    );
    return answers.some((answer) => answer.status === "rejected" || answer.value > 0);
  }

  #changed(node: NodeRecord): void {
    this.#differences.seen(node);
    this.#greetings.foundAgain(node.incarnation);
    for (const listener of this.#nodeListeners) listener(node);
  }
}
