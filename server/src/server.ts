import type { RequestListener } from "node:http";
import { NodeState } from "@fanfare/proto/control/v1";
import { CloseCode } from "@fanfare/proto/v1";
import { type Clock, systemClock } from "./clock.ts";
import type { ResolvedConfig } from "./config/resolved-config.ts";
import { ControlApi } from "./control/control-api.ts";
import { OperatorApi } from "./control/operator/operator-api.ts";
import { newPublishRepeats, type PublishRepeats } from "./control/publisher.ts";
import { drain, sendAway } from "./gateway/drain.ts";
import { connectPath, UpgradeHandler } from "./gateway/upgrade.ts";
import { type DevSecrets, devCredentialsRoute } from "./http/dev-credentials.ts";
import { healthRoutes, metricsRoute } from "./http/health-routes.ts";
import { Listener } from "./http/listener.ts";
import { pagesRoute } from "./http/pages.ts";
import { dispatch } from "./http/routes.ts";
import type { DurableStores } from "./log/durable-stores.ts";
import { FanfareNode, type NodeOptions } from "./node.ts";
import { type Log, silentLog } from "./observe/log.ts";
import { Metrics } from "./observe/metrics.ts";
import { ValkeyBackend } from "./valkey-backend.ts";
import { version } from "./version.ts";

/** What a server is started with. */
export interface StartOptions {
  readonly config: ResolvedConfig;
  /** Default: writes nothing. */
  readonly log?: Log;
  /** Default: the machine's own. */
  readonly clock?: Clock;
  /** Serves `/dev/credentials`. Only with a configuration made by `devConfig`. */
  readonly devSecrets?: DevSecrets;
  /** Where durable channels are kept, closed by whoever gives it. Default: as configured; in memory unless in Valkey. */
  readonly stores?: DurableStores;
  /** Connects it with other nodes; the broker is closed by whoever gives it. Default: it is alone. */
  readonly cluster?: NodeOptions["cluster"];
  /** As in {@link NodeOptions}. */
  readonly clusterRevision?: number;
  /** A folder of files to serve at `/`. */
  readonly pages?: string;
  /** How long whoever asks for `/metrics` gets the same text, in milliseconds. Default: 1,000. */
  readonly metricsSharedMs?: number;
}

/** How a drain goes. Unset: as configured in `timing`. */
export interface DrainRequest {
  /** Over which clients are spread, in milliseconds. */
  readonly windowMs?: number;
  /** After which who is still there is closed, in milliseconds. */
  readonly deadlineMs?: number;
}

/** How long calls of the control API may take to end, once the last client has gone, in milliseconds. */
const controlGraceMs = 2_000;

/** Sockets of a listener beyond those of clients: backends, probes, metrics. */
const controlSockets = 1_000;

/** Why nobody is served while a node is cut off. */
const cutOff = "this node is cut off from its cluster";

/** How long after a failure a node tries again to join its cluster, in milliseconds. */
const rejoinMs = 500;

/** One run of the node, and what serves it to the world. */
interface NodeRun {
  readonly node: FanfareNode;
  readonly control: ControlApi;
  readonly metrics: Metrics;
  readonly upgrades: UpgradeHandler;
  readonly onRequest: RequestListener;
}

/** A running server. */
export class FanfareServer implements AsyncDisposable {
  readonly #options: StartOptions;
  readonly #listeners: Listener[];
  readonly #stores: DurableStores | undefined;
  readonly #valkey: ValkeyBackend | undefined;
  readonly #cluster: StartOptions["cluster"];
  readonly #repeats: PublishRepeats;
  #run: NodeRun;
  #isRejoining = false;
  #isolations = 0;
  #drained: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  readonly #closed = Promise.withResolvers<void>();

  /** @param valkey what is kept in Valkey, closed with the server */
  constructor(options: StartOptions, valkey?: ValkeyBackend) {
    this.#options = options;
    this.#stores = options.stores ?? valkey?.stores;
    this.#cluster = options.cluster ?? (valkey && { broker: valkey.broker });
    this.#valkey = valkey;
    this.#repeats = newPublishRepeats(options.clock ?? systemClock);
    this.#run = this.#newRun();
    const { listen, limits, timing } = options.config;
    const { host, port, tls, additional } = listen;
    // Who is turned away after the upgrade is told why; this is for those who do not even ask for one.
    const maxSockets = limits.maxConnections + limits.maxUnauthenticated + controlSockets;
    this.#listeners = [{ host, port, tls }, ...additional.map((one) => ({ ...one, tls: undefined }))].map(
      (one, index) =>
        new Listener({
          ...one,
          index,
          onUpgrade: (...upgrade) => this.#run.upgrades.handle(...upgrade),
          onRequest: (request, response) => this.#run.onRequest(request, response),
          maxSockets,
          headTimeoutMs: timing.helloTimeoutMs,
          onDropped: () => this.node.counters.socketsDropped++,
        }),
    );
  }

  /** This run of the node; another one after it was cut off from its cluster for too long. */
  get node(): FanfareNode {
    return this.#run.node;
  }

  /** Address of the main listener, for instance `http://127.0.0.1:8080`. */
  get url(): string {
    return this.urls[0] as string;
  }

  /** Addresses of all listeners, in the order of the configuration. */
  get urls(): readonly string[] {
    return this.#listeners.map((listener) => listener.url);
  }

  /** Settles when the server is closed, by whomever. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  async open(): Promise<void> {
    await this.node.open();
    for (const listener of this.#listeners) await listener.open();
    this.node.log.info("serving", { urls: this.urls, node: this.node.config.nodeId, version });
  }

  /**
   * Sends every client away, accepts none, and closes the server when the last has gone or the deadline has passed. Called again, it
   * joins the drain that is under way.
   * @returns how many clients were told to go, and when the server is closed
   */
  drain(request: DrainRequest = {}): { told: number; done: Promise<void> } {
    if (this.#drained !== undefined) return { told: 0, done: this.#drained };
    const { clock, config, log } = this.node;
    const windowMs = request.windowMs ?? config.timing.drainWindowMs;
    const deadlineMs = Math.max(request.deadlineMs ?? config.timing.drainDeadlineMs, windowMs);
    this.node.state = NodeState.DRAINING;
    for (const listener of this.#listeners) listener.refusal = "this node is draining";
    this.#run.control.endStreams();
    void this.node.cluster?.drain();
    const options = { windowMs, deadlineMs, url: "", rebalancing: false };
    const { told, done } = drain(this.#run.upgrades.connections, clock, options);
    log.info("draining", { clients: told, windowMs, deadlineMs });
    this.#drained = done.then(() => this.#controlSettled()).then(() => this.close());
    return { told, done: this.#drained };
  }

  /**
   * Sends the clients of one listener to another one of this node; sessions move without a gap. The listener accepts nobody until
   * `reopen`.
   */
  drainListener(from: number, to: number, request: DrainRequest = {}): { told: number; done: Promise<void> } {
    const source = this.#listener(from);
    const url = `${this.#listener(to).url.replace(/^http/, "ws")}${connectPath}`;
    const { clock, config } = this.node;
    const windowMs = request.windowMs ?? config.timing.drainWindowMs;
    const deadlineMs = Math.max(request.deadlineMs ?? config.timing.drainDeadlineMs, windowMs);
    source.refusal = "this listener is draining";
    const connections = [...this.#run.upgrades.connections].filter((connection) => connection.listener === from);
    return drain(connections, clock, { windowMs, deadlineMs, url, rebalancing: true });
  }

  /** Sends some clients to other nodes. */
  #sendAway({ sessions, windowMs }: { sessions: number; windowMs: number }): { told: number } {
    const { clock, config, log } = this.node;
    const deadlineMs = Math.max(config.timing.drainDeadlineMs, windowMs);
    const options = { windowMs, deadlineMs, url: "", rebalancing: true };
    const told = sendAway(this.#run.upgrades.connections, clock, sessions, options);
    log.info("clients sent to other nodes", { clients: told, windowMs });
    return { told };
  }

  /** Accepts clients at a listener again. */
  reopen(listener: number): void {
    if (this.#drained === undefined) this.#listener(listener).refusal = undefined;
  }

  /** Closes at once: every connection is cut. Called again, it joins the close that is under way. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const connection of this.#run.upgrades.connections) connection.destroy();
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    this.#run.control.close();
    await this.node[Symbol.asyncDispose]();
    await this.#valkey?.[Symbol.asyncDispose]();
    this.#run.metrics[Symbol.dispose]();
    this.#closed.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Lets the control API answer what is under way, among it the call that began the drain; within a bound. */
  #controlSettled(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.node.clock.setTimer(controlGraceMs, resolve);
    void this.#run.control.idle.then(resolve);
    return promise.finally(() => timer.cancel());
  }

  #listener(index: number): Listener {
    const listener = this.#listeners[index];
    if (listener === undefined) throw new RangeError(`there is no listener ${index}`);
    return listener;
  }

  #newRun(): NodeRun {
    const { config, clock = systemClock, log = silentLog, devSecrets, pages, clusterRevision } = this.#options;
    const stores = this.#stores;
    const cluster = this.#cluster;
    const node = new FanfareNode({
      ...{ config, clock, log },
      ...(stores && { stores }),
      ...(cluster && { cluster }),
      ...(clusterRevision && { clusterRevision }),
    });
    void node.isolated.then(() => this.#reincarnate(node));
    const control = new ControlApi(
      node,
      {
        beginDrain: (wish) => this.drain(wish),
        sendAway: (wish) => this.#sendAway(wish),
      },
      this.#repeats,
    );
    const metrics = this.#newMetrics(node);
    const routes = [control.route, new OperatorApi(node).route, ...healthRoutes(node, () => this.#problemOf(node))];
    if (config.observe.metrics) routes.push(metricsRoute(metrics));
    if (devSecrets !== undefined) routes.push(devCredentialsRoute(devSecrets, node.clock));
    if (pages !== undefined) routes.push(pagesRoute(pages));
    return { node, control, metrics, upgrades: new UpgradeHandler(node), onRequest: dispatch(routes) };
  }

  /** Why clients are better off elsewhere. */
  #problemOf({ cluster }: FanfareNode): string | undefined {
    if (this.#isRejoining) return cutOff;
    return cluster?.isHealthy === false ? "Valkey is out of reach" : undefined;
  }

  #newMetrics(node: FanfareNode): Metrics {
    const { counters, linkCounters: links, config, clock } = node;
    const { metricsSharedMs: sharedMs } = this.#options;
    const first = node.clusterFigures();
    const ofServer = () => ({ isolations: this.#isolations, reachable: this.#problemOf(node) === undefined ? 1 : 0 });
    const valkey = this.#valkey;
    return new Metrics({
      ...{ counters, version, nodeId: config.nodeId, clock },
      ...(sharedMs !== undefined && { sharedMs }),
      ...(first && { links, cluster: () => ({ ...first, ...node.clusterFigures(), ...ofServer() }) }),
      ...(valkey && { broker: () => valkey.counts }),
    });
  }

  /**
   * Nobody waits for what it could not write: it cannot write it now either. Once it could, what its clients have said again elsewhere would come
   * after something newer of theirs that was left waiting here, and be refused for ever.
   */
  #abandon({ node, metrics, control }: NodeRun): void {
    this.#valkey?.giveUpAll();
    control.close();
    metrics[Symbol.dispose]();
    node[Symbol.asyncDispose]().catch((reason: unknown) => {
      node.log.warn("an isolated node was not closed in order", { reason: String(reason) });
    });
  }

  /**
   * The others count this node as dead: its clients go at once, and it comes back as another incarnation, as soon as the broker can be reached.
   */
  async #reincarnate(isolated: FanfareNode): Promise<void> {
    const { clock, log } = isolated;
    if (this.#run.node !== isolated || this.#isRejoining || this.#drained !== undefined || this.#closing !== undefined)
      return;
    this.#isolations++;
    log.error(
      "the others count this node as gone, or would by now; clients are sent away, and it comes back as another incarnation",
    );
    const former = this.#run;
    for (const listener of this.#listeners) listener.refusal = cutOff;
    for (const connection of former.upgrades.connections) {
      connection.close(CloseCode.ISOLATED, cutOff);
    }
    this.#isRejoining = true;
    let told = "";
    const tell = (reason: string): void => {
      if (reason !== told) log.warn("the cluster cannot be joined yet; it is tried again", { reason });
      told = reason;
    };
    for (;;) {
      this.#abandon(this.#run);
      this.#run = this.#newRun();
      const joined = await this.node.open().then(
        () => true,
        (reason: unknown) => tell(String(reason)),
      );
      // Joining can take longer than a lease that nobody could renew: then it is another that has to join.
      const hasLapsed = this.node.cluster?.nodes.isMember === false;
      if ((joined === true && !hasLapsed) || this.#closing !== undefined) break;
      await new Promise<void>((resolve) => clock.setTimer(rejoinMs, resolve));
    }
    this.#isRejoining = false;
    if (this.#drained !== undefined || this.#closing !== undefined) return;
    for (const listener of this.#listeners) listener.refusal = undefined;
    log.info("back in the cluster", { incarnation: this.node.incarnation.toString(16) });
  }
}

/**
 * Starts a server; where its configuration names a Valkey, as a node of the cluster that is there. One that cannot start leaves it.
 * @throws the system's error if an address cannot be listened at, for instance EADDRINUSE
 * @throws FanfareError UNAUTHENTICATED or UNAVAILABLE if Valkey cannot be used, FAILED_PRECONDITION if GLIDE is not installed
 */
export async function startServer(options: StartOptions): Promise<FanfareServer> {
  const { config, clock = systemClock, log = silentLog, stores, cluster } = options;
  const isGiven = stores !== undefined || cluster !== undefined;
  const valkey =
    config.valkey && !isGiven ? await ValkeyBackend.open({ valkey: config.valkey, clock, log }) : undefined;
  let server: FanfareServer | undefined;
  try {
    server = new FanfareServer(options, valkey);
    await server.open();
    return server;
  } catch (reason) {
    // It may have joined by now: without a farewell the others would count it as gone, and its timers would keep the process.
    await (server ?? valkey)?.[Symbol.asyncDispose]().catch((cause: unknown) => {
      log.warn("a server that could not start was not closed in order", { reason: String(cause) });
    });
    throw reason;
  }
}
