import { ErrorCode } from "@fanfare/proto/v1";
import type { Clock } from "../../clock.ts";
import { FanfareError } from "../../fanfare-error.ts";
import type { Log } from "../../observe/log.ts";
import { FunctionLoader } from "../../valkey/function-loader.ts";
import { GroupedCalls } from "../../valkey/grouped-calls.ts";
import { isConnectionFailure, isFunctionMissing, isNotCarriedOut } from "../../valkey/reply-errors.ts";
import { type Mark, markOf } from "../../valkey/reply-mark.ts";
import { SlotMap, type Slots } from "../../valkey/slot-map.ts";
import { type ClientCounts, countsOf, SupervisedClient } from "../../valkey/supervised-client.ts";
import type { Topology } from "../../valkey/topology.ts";
import {
  type Command,
  type CommandPart,
  connectValkey,
  type Reply,
  type ValkeyClient,
} from "../../valkey/valkey-client.ts";
import { asReplacement, defaultRequestTimeoutMs, type ValkeyOptions } from "../../valkey/valkey-options.ts";
import { KnownRuns } from "./known-runs.ts";
import { functionPrefix, logFunctions } from "./log-functions.ts";

/** How the log reaches Valkey. */
export interface LogConnectionsOptions {
  readonly valkey: ValkeyOptions;
  readonly clock: Clock;
  readonly log: Log;
  /** Makes a client. Default: GLIDE's. */
  readonly connect?: (valkey: ValkeyOptions) => Promise<ValkeyClient>;
  /** Before every key. Default: `fanfare`. */
  readonly keyPrefix?: string;
  /** How long an append waits for a replica, in milliseconds; after it its outcome is unknown. Default: 1500. */
  readonly waitTimeoutMs?: number;
  /** How long an append, or another change, is tried again, in milliseconds; longer than a failover takes. Default: 8000. */
  readonly callTimeoutMs?: number;
  /** The same for a read. Default: 8000. */
  readonly sendTimeoutMs?: number;
  /**
   * Whether the routes that a node of Valkey has can be relied upon: it is the primary, no other has taken its place, and it has not just begun anew.
   * Default: never.
   */
  readonly isSettled?: (node: string) => boolean;
  /**
   * Whether who answered is still the primary: one that stood still until its replica took over has none left when it wakes up, and would acknowledge
   * alone what is lost as soon as it hears of that. Default: always.
   */
  readonly isBelieved?: (mark: Mark, sentAtMs: number) => boolean;
  /** Who serves what, if somebody else keeps track of it. Default: this finds out when something fails. */
  readonly topology?: Pick<Topology, keyof Slots | "onMoved"> | undefined;
}

/** Default of {@link LogConnectionsOptions.waitTimeoutMs}: a replica that has just joined takes a second to answer. */
export const defaultAppendWaitMs = 1_500;

/** How long replicas that have failed are left alone, in milliseconds. */
const replicaPauseMs = 1_000;

/** What a call without a message takes of the bounds on what waits, in bytes, about. */
export const smallCallBytes = 300;

/**
 * The log's own connections: one for what waits for replicas, because a WAIT holds up everything behind it, and one for the rest. Loads
 * the functions when it connects and whenever a node turns out to lack them.
 */
export class LogConnections implements AsyncDisposable {
  readonly clock: Clock;
  readonly keyPrefix: string;
  /** Calls that are confirmed by a replica where there is one. */
  readonly replicated: GroupedCalls;
  /** Calls that the primary alone confirms. */
  readonly plain: GroupedCalls;
  readonly #client: SupervisedClient;
  readonly #waitingClient: SupervisedClient;
  /** Reads from replicas, if that is wanted. */
  readonly #replicaClient: SupervisedClient | undefined;
  /** When replicas that have failed are asked again, by their primary. */
  readonly #replicasAgainAtMs = new Map<string, number>();
  readonly #loader: FunctionLoader;
  readonly #slots: Slots;
  readonly #unlisten: () => void;
  readonly #isBelieved: (mark: Mark, sentAtMs: number) => boolean;
  readonly #sendTimeoutMs: number;
  readonly #isCluster: boolean;
  #closed = false;

  private constructor(
    options: LogConnectionsOptions,
    client: SupervisedClient,
    waitingClient: SupervisedClient,
    replicaClient?: SupervisedClient,
  ) {
    const { clock, valkey, waitTimeoutMs = defaultAppendWaitMs, callTimeoutMs = 8000, sendTimeoutMs = 8000 } = options;
    this.#sendTimeoutMs = sendTimeoutMs;
    this.clock = clock;
    this.keyPrefix = options.keyPrefix ?? "fanfare";
    this.#client = client;
    this.#waitingClient = waitingClient;
    this.#replicaClient = replicaClient;
    this.#loader = new FunctionLoader(logFunctions.source);
    const onMoved = (): void => {
      for (const calls of [this.replicated, this.plain]) calls.topologyChanged();
      for (const one of [client, waitingClient, replicaClient]) one?.topologyChanged();
      this.#replicasAgainAtMs.clear();
    };
    this.#slots = options.topology ?? new SlotMap(onMoved);
    this.#unlisten = options.topology?.onMoved(onMoved) ?? (() => {});
    this.#isCluster = valkey.cluster;
    const shared = {
      name: "the log's store",
      functionPrefix,
      keyPrefix: this.keyPrefix,
      loader: this.#loader,
      slots: this.#slots,
      clock,
      log: options.log,
      cluster: valkey.cluster,
      groupTimeoutMs: 2 * (valkey.requestTimeoutMs ?? defaultRequestTimeoutMs),
      callTimeoutMs,
      judge: judgeOf(options),
    };
    const { isBelieved = () => true } = options;
    this.#isBelieved = isBelieved;
    this.replicated = new GroupedCalls({ ...shared, client: waitingClient, waitTimeoutMs, isBelieved });
    this.plain = new GroupedCalls({ ...shared, client, waitTimeoutMs: 0 });
  }

  /** Connects and loads the functions. @throws what the client library throws when nobody answers */
  static async open(options: LogConnectionsOptions): Promise<LogConnections> {
    const { valkey, clock, log } = options;
    const { readsReplicas = false, ...primaries } = valkey;
    const open = (name: string, to: ValkeyOptions = primaries) => {
      const connect = (isFirst: boolean) => (options.connect ?? connectValkey)(isFirst ? to : asReplacement(to));
      return SupervisedClient.connect({ connect, clock, log, name });
    };
    const client = await open("log");
    const waitingClient = await open("log, waiting");
    const replicaClient = readsReplicas ? await open("log, replicas", valkey) : undefined;
    const connections = new LogConnections(options, client, waitingClient, replicaClient);
    try {
      await connections.#loader.load(client).catch((reason: unknown) => {
        // Of a cluster a shard may have no primary just now; the functions are loaded where they turn out to be missing.
        if (!valkey.cluster || !isConnectionFailure(reason)) throw reason;
        log.warn("functions of the log could not be loaded everywhere", { reason: String(reason) });
      });
      if (valkey.cluster) await connections.#slots.refresh(client);
      return connections;
    } catch (reason) {
      await connections[Symbol.asyncDispose]();
      throw reason;
    }
  }

  /** What its clients have counted. */
  get clientCounts(): ClientCounts {
    const all = [this.#client, this.#waitingClient, this.#replicaClient];
    return countsOf(all.filter((client) => client !== undefined));
  }

  /** Times that a replica did not answer appends in time. */
  get lateReplicas(): number {
    return this.replicated.lateReplicas;
  }

  /** A call of one of the log's functions. */
  functionCall(name: string, keys: readonly string[], args: readonly CommandPart[]): Command {
    const isCluster = this.#isCluster ? "1" : "0";
    return ["FCALL", `${functionPrefix}_${name}`, String(keys.length), ...keys, isCluster, ...args];
  }

  /** Whether replicas are asked at all. */
  get readsReplicas(): boolean {
    return this.#replicaClient !== undefined;
  }

  /** Asks a replica once, by a function that only reads. Undefined: none has answered now, and the primary is to be asked. */
  async peek(
    name: string,
    keys: readonly string[],
    args: readonly CommandPart[],
    tag: string,
  ): Promise<Reply | undefined> {
    const shard = this.#slots.primaryOf(tag);
    const nowMs = this.clock.monotonicMs();
    if (this.#replicaClient === undefined || nowMs < (this.#replicasAgainAtMs.get(shard) ?? 0)) return undefined;
    const [, ...call] = this.functionCall(name, keys, args);
    try {
      return await this.#replicaClient.send(["FCALL_RO", ...call], { replicaOf: tag }, shard);
    } catch {
      this.#replicasAgainAtMs.set(shard, this.clock.monotonicMs() + replicaPauseMs);
      return undefined;
    }
  }

  /**
   * Sends a command that does no harm when it is carried out twice, again and again until it is answered or its time has passed.
   * @param tag the hash tag of its keys
   * @throws FanfareError UNAVAILABLE, or INTERNAL if Valkey refuses it
   */
  send(command: Command, tag: string): Promise<Reply> {
    return this.#ask(command, tag, () => true);
  }

  /**
   * The same for a function that reads a log, answered by whoever is believed to be the primary: one that was replaced, and does not know, takes what
   * was stored since for a fork, or says nothing of it.
   */
  read(command: Command, tag: string): Promise<Reply> {
    return this.#ask(command, tag, (reply, shard, sentAtMs) => {
      const mark = markOf(reply);
      const isBelieved = this.#isBelieved(mark, sentAtMs);
      if (!isBelieved && mark.node !== shard) this.#client.gaveUp(shard);
      return isBelieved;
    });
  }

  async #ask(
    command: Command,
    tag: string,
    isAnswer: (reply: Reply, shard: string, sentAtMs: number) => boolean,
  ): Promise<Reply> {
    const { clock } = this;
    const deadlineMs = clock.monotonicMs() + this.#sendTimeoutMs;
    for (let pauseMs = 20; ; pauseMs = Math.min(2 * pauseMs, 400)) {
      let failure: unknown;
      try {
        const [shard, sentAtMs] = [this.#slots.primaryOf(tag), clock.monotonicMs()];
        const reply = await this.#client.send(command, undefined, shard);
        if (isAnswer(reply, shard, sentAtMs)) return reply;
        failure = new Error("answered by one that may not be the primary any more");
      } catch (reason) {
        if (isFunctionMissing(reason)) await this.#loader.load(this.#client).catch(() => {});
        else if (!isConnectionFailure(reason) && !isNotCarriedOut(reason)) throw refused(reason);
        failure = reason;
      }
      if (this.#closed || clock.monotonicMs() + pauseMs > deadlineMs) throw unavailable(failure);
      await new Promise<void>((resolve) => clock.setTimer(pauseMs, resolve));
    }
  }

  /**
   * Calls a function that writes, until a replica has it, where there is one.
   * @param isLateHarmless whether it does no harm when it is carried out after what is called later
   * @throws FanfareError UNAVAILABLE; DEADLINE_EXCEEDED if that is not known in time: it can be repeated
   */
  async change(tag: string, command: Command, isLateHarmless = false): Promise<Reply> {
    const { reply, acknowledged } = await this.replicated.call(tag, command, smallCallBytes, isLateHarmless);
    if (reply === undefined || acknowledged === undefined) throw unconfirmed();
    return reply;
  }

  /** Forgets what is under these keys, of one slot. @throws as {@link change} */
  async erase(tag: string, keys: readonly string[]): Promise<void> {
    await this.change(tag, this.functionCall("erase", keys, []));
  }

  /** Calls that write and have no result yet are given up, so that none is carried out that was not sent: see {@link GroupedCalls.giveUpAll}. */
  giveUpAll(): void {
    this.replicated.giveUpAll();
    this.plain.giveUpAll();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#unlisten();
    this.replicated.close();
    this.plain.close();
    this.#client.close();
    this.#waitingClient.close();
    this.#replicaClient?.close();
  }
}

/** What is asked about who has answered with a route: others know the node, and this log the run of its process, which they may not have noticed yet. */
function judgeOf({ clock, isSettled }: LogConnectionsOptions): ((mark: Mark) => boolean) | undefined {
  if (isSettled === undefined) return undefined;
  const runs = new KnownRuns(clock);
  return (mark) => runs.isLong(mark) && isSettled(mark.node);
}

/** What was written may be lost with the primary that has it. */
export function unconfirmed(): FanfareError {
  return new FanfareError(ErrorCode.DEADLINE_EXCEEDED, "no replica has confirmed the change in time; it may be lost");
}

function unavailable(cause: unknown): FanfareError {
  return new FanfareError(ErrorCode.UNAVAILABLE, "the log's store is out of reach", { cause });
}

function refused(cause: unknown): FanfareError {
  return new FanfareError(ErrorCode.INTERNAL, "the log's store refused the call", { cause });
}
