import { ErrorCode } from "@fanfare/proto/v1";
import type { Clock } from "../../clock.ts";
import { FanfareError } from "../../fanfare-error.ts";
import type { Log } from "../../observe/log.ts";
import type { RandomBytes } from "../../random.ts";
import { Caller } from "../../valkey/caller.ts";
import { warnOfEviction } from "../../valkey/eviction-policy.ts";
import { FunctionLoader } from "../../valkey/function-loader.ts";
import { GroupedCalls } from "../../valkey/grouped-calls.ts";
import { isConnectionFailure } from "../../valkey/reply-errors.ts";
import { lineOf, markOf } from "../../valkey/reply-mark.ts";
import { ShardWatch } from "../../valkey/shard-watch.ts";
import { type ClientCounts, countsOf, SupervisedClient, type WhoAnswers } from "../../valkey/supervised-client.ts";
import { Topology } from "../../valkey/topology.ts";
import { TrustedReads } from "../../valkey/trusted-reads.ts";
import {
  type Command,
  type CommandPart,
  isAnswer,
  type Reply,
  type ValkeyConnector,
} from "../../valkey/valkey-client.ts";
import { asReplacement, defaultRequestTimeoutMs, type ValkeyOptions } from "../../valkey/valkey-options.ts";
import { brokerFunctionPrefix, brokerFunctions } from "./broker-functions.ts";
import { BrokerKeys, type TaggedKey } from "./broker-keys.ts";

/** How a broker reaches Valkey. */
export interface BrokerConnectionsOptions {
  readonly connector: ValkeyConnector;
  readonly valkey: ValkeyOptions;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly log: Log;
  /** Before every key and channel. */
  readonly keyPrefix: string;
  /** How long publishing to a lane, and reading a route, may take, in milliseconds. */
  readonly laneTimeoutMs: number;
  /** How long a change waits for a replica, in milliseconds. */
  readonly waitTimeoutMs: number;
  /** How long a change or a read is tried again, in milliseconds; longer than a failover takes. */
  readonly callTimeoutMs: number;
}

const name = "the broker's store";

/**
 * The clients of a broker, each with connections of its own, so that none is held up by what another waits for: lanes out, routes, changes (a
 * WAIT holds up everything behind it), and the rest. The subscriber of the lanes is theirs.
 */
export class BrokerConnections implements Disposable {
  readonly keys: BrokerKeys;
  readonly cluster: boolean;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly lanes: SupervisedClient;
  readonly rest: SupervisedClient;
  readonly topology: Topology;
  readonly watch: ShardWatch;
  readonly loader: FunctionLoader;
  /** Reads of routes, tried once. */
  readonly routeReads: TrustedReads;
  readonly #reads: TrustedReads;
  readonly #changes: GroupedCalls;
  readonly #caller: Caller;
  readonly #clients: readonly SupervisedClient[];
  readonly #callTimeoutMs: number;
  readonly #requestTimeoutMs: number;
  readonly #unlisten: () => void;
  #closed = false;

  private constructor(options: BrokerConnectionsOptions, clients: readonly SupervisedClient[]) {
    const { valkey, clock, random, log, keyPrefix, laneTimeoutMs, waitTimeoutMs, callTimeoutMs } = options;
    const [lanes, routes, changes, rest] = clients as [
      SupervisedClient,
      SupervisedClient,
      SupervisedClient,
      SupervisedClient,
    ];
    this.#clients = clients;
    this.#callTimeoutMs = callTimeoutMs;
    this.keys = new BrokerKeys(keyPrefix);
    this.random = random;
    this.#caller = new Caller(random);
    this.cluster = valkey.cluster;
    this.clock = clock;
    this.lanes = lanes;
    this.rest = rest;
    this.loader = new FunctionLoader(brokerFunctions.source);
    const { loader, cluster } = this;
    this.topology = new Topology({ client: rest, log, cluster });
    const { topology } = this;
    this.#unlisten = topology.onMoved(() => {
      for (const client of clients) client.topologyChanged();
    });
    const functionPrefix = brokerFunctionPrefix;
    const shared = { name, loader, functionPrefix, clock, cluster, log };
    this.watch = new ShardWatch({ ...shared, client: routes, topology, timeoutMs: laneTimeoutMs });
    const { watch } = this;
    const routeTimes = { timeoutMs: laneTimeoutMs, awaitsOwners: true };
    this.routeReads = new TrustedReads({ ...shared, client: routes, topology, watch, ...routeTimes });
    const { requestTimeoutMs = defaultRequestTimeoutMs } = valkey;
    this.#requestTimeoutMs = requestTimeoutMs;
    this.#reads = new TrustedReads({ ...shared, client: rest, topology, watch, timeoutMs: requestTimeoutMs });
    this.#changes = new GroupedCalls({
      ...{ ...shared, keyPrefix, client: changes, slots: topology },
      ...{ waitTimeoutMs, groupTimeoutMs: 2 * requestTimeoutMs, callTimeoutMs },
      withoutReplica: "primary",
      isBelieved: (mark, sentAtMs) => watch.answered(mark, sentAtMs),
    });
  }

  /** Connects, loads the functions and finds out who serves what. @throws what the client library throws when nobody answers */
  static async open(options: BrokerConnectionsOptions): Promise<BrokerConnections> {
    const { connector, valkey, clock, log, laneTimeoutMs, keyPrefix } = options;
    const fast = { ...valkey, requestTimeoutMs: laneTimeoutMs };
    const whoAnswers = valkey.cluster ? whoAnswersOf(keyPrefix) : undefined;
    await using opened = new AsyncDisposableStack();
    const clients = await Promise.all(
      (["lanes", "routes", "changes", "rest"] as const).map(async (of) => {
        const its = of === "lanes" || of === "routes" ? fast : valkey;
        const connect = (isFirst: boolean) => connector.connect(isFirst ? its : asReplacement(its));
        return opened.adopt(await SupervisedClient.connect({ connect, clock, log, name: of, whoAnswers }), (client) =>
          client.close(),
        );
      }),
    );
    const connections = new BrokerConnections(options, clients);
    opened.defer(() => connections[Symbol.dispose]());
    await connections.loader.load(connections.rest).catch((reason: unknown) => {
      // Of a cluster a shard may have no primary just now; the functions are loaded where they turn out to be missing.
      if (!valkey.cluster || !isConnectionFailure(reason)) throw reason;
      log.warn("functions could not be loaded everywhere", { reason: String(reason) });
    });
    await connections.topology.look();
    await connections.watch.open();
    void warnOfEviction({ client: connections.rest, topology: connections.topology, log });
    opened.move();
    return connections;
  }

  /** What its clients have counted. */
  get clientCounts(): ClientCounts {
    return countsOf(this.#clients);
  }

  /** Times that a replica did not answer a change in time. */
  get lateReplicas(): number {
    return this.#changes.lateReplicas;
  }

  /** A call of one of the broker's functions. */
  functionCall(called: string, key: string, args: readonly CommandPart[]): Command {
    return ["FCALL", `${brokerFunctionPrefix}_${called}`, "1", key, this.cluster ? "1" : "0", ...args];
  }

  /**
   * Calls a function that changes something, until a replica has it where there is one, or its time has passed.
   * @throws FanfareError UNAVAILABLE; it may have been carried out
   */
  async change(called: string, { tag, key }: TaggedKey, args: readonly CommandPart[]): Promise<Reply> {
    const command = this.functionCall(called, key, args);
    const bytes = args.reduce((sum, arg) => sum + arg.length, 200);
    const { reply, acknowledged } = await this.#changes.call(tag, command, bytes);
    if (reply === undefined || acknowledged === undefined) throw unavailable("has not confirmed a change in time");
    return reply;
  }

  /**
   * As {@link change}, for a function that carries out a change of a key once, whenever it comes, and takes behind the first argument who calls and which of
   * its changes it is.
   */
  async changeOnce(called: string, key: TaggedKey, args: readonly CommandPart[]): Promise<Reply> {
    const reply = await this.change(called, key, [...this.#caller.next(), ...args]);
    if (lineOf(reply)[0] === "late") throw unavailable("has carried out a later change before this one");
    return reply;
  }

  /**
   * Calls a function that reads, again and again until it is answered or its time has passed.
   * @returns its answer without the line in front
   * @throws FanfareError UNAVAILABLE
   */
  async read(called: string, { tag, key }: TaggedKey, args: readonly CommandPart[]): Promise<readonly Reply[]> {
    const command = this.functionCall(called, key, args);
    return await this.#again(async () => ((await this.#reads.read(tag, command)) as readonly Reply[]).slice(1));
  }

  /**
   * Sends commands to one primary, whatever slots their keys are in, again and again until all are answered or their time has passed.
   * @throws FanfareError UNAVAILABLE if it is out of reach, or is none any more
   */
  async ask(primary: string, commands: readonly Command[]): Promise<readonly Reply[]> {
    const mark: Command = ["FCALL", `${brokerFunctionPrefix}_mark`, "0", this.cluster ? "1" : "0"];
    const isOwn = (replies: readonly Reply[]) => isAnswer(replies[0]) && markOf(replies[0]).node === primary;
    return await this.#again(async () => {
      const tag = this.topology.tagOf(primary);
      if (tag === undefined) throw unavailable("has another primary");
      const timeoutMs = 2 * this.#requestTimeoutMs;
      const [first, ...replies] = await this.rest
        .pipeline([mark, ...commands], `{${tag}}`, timeoutMs, primary, isOwn)
        .catch((cause: unknown) => {
          throw unavailable("is out of reach", cause);
        });
      const failed = replies.find((reply) => reply instanceof Error);
      if (!isOwn([first as Reply]) || failed !== undefined) throw unavailable("is out of reach", failed);
      return replies;
    });
  }

  /** Tries until it succeeds, the time has passed, or it fails with another error than UNAVAILABLE. */
  async #again<Result>(attempt: () => Promise<Result>): Promise<Result> {
    const deadlineMs = this.clock.monotonicMs() + this.#callTimeoutMs;
    for (let pauseMs = 10; ; pauseMs = Math.min(2 * pauseMs, 200)) {
      try {
        return await attempt();
      } catch (reason) {
        const isOver = this.#closed || this.clock.monotonicMs() + pauseMs > deadlineMs;
        if (isOver || FanfareError.from(reason).code !== ErrorCode.UNAVAILABLE) throw reason;
      }
      await new Promise<void>((resolve) => this.clock.setTimer(pauseMs, resolve));
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#unlisten();
    this.watch.close();
    this.#changes.close();
    this.#reads.close();
    this.routeReads.close();
    for (const client of this.#clients) client.close();
  }
}

function whoAnswersOf(keyPrefix: string): WhoAnswers {
  const mark = `${brokerFunctionPrefix}_mark`;
  return {
    anywhere: ["FCALL", mark, "0", "1"],
    atPrimary: (slotOf) => ["FCALL", mark, "1", `${keyPrefix}:${slotOf}:touch`, "1"],
  };
}

function unavailable(what: string, cause?: unknown): FanfareError {
  return new FanfareError(ErrorCode.UNAVAILABLE, `${name} ${what}`, { cause });
}
