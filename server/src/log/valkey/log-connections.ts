import { ErrorCode } from "@fanfare/proto/v1";
import type { Clock } from "../../clock.ts";
import { FanfareError } from "../../fanfare-error.ts";
import type { Log } from "../../observe/log.ts";
import { FunctionLoader, isFunctionMissing } from "../../valkey/function-loader.ts";
import { SupervisedClient } from "../../valkey/supervised-client.ts";
import { type Command, type CommandPart, connectValkey, type Reply } from "../../valkey/valkey-client.ts";
import { defaultRequestTimeoutMs, type ValkeyOptions } from "../../valkey/valkey-options.ts";
import { GroupedCalls } from "./grouped-calls.ts";
import { functionPrefix, logFunctions } from "./log-functions.ts";

/** How the log reaches Valkey. */
export interface LogConnectionsOptions {
  readonly valkey: ValkeyOptions;
  readonly clock: Clock;
  readonly log: Log;
  /** Before every key. Default: `fanfare`. */
  readonly keyPrefix?: string;
  /** How long an append waits for a replica, in milliseconds. Default: 500. */
  readonly waitTimeoutMs?: number;
  /** How long an append, or another change, is tried again, in milliseconds; longer than a failover takes. Default: 8000. */
  readonly callTimeoutMs?: number;
}

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
  readonly #loader: FunctionLoader;
  readonly #isCluster: boolean;

  private constructor(options: LogConnectionsOptions, client: SupervisedClient, waitingClient: SupervisedClient) {
    const { clock, valkey, waitTimeoutMs = 500, callTimeoutMs = 8000 } = options;
    this.clock = clock;
    this.keyPrefix = options.keyPrefix ?? "fanfare";
    this.#client = client;
    this.#waitingClient = waitingClient;
    this.#loader = new FunctionLoader(logFunctions.source);
    this.#isCluster = valkey.cluster;
    const shared = {
      functionPrefix,
      keyPrefix: this.keyPrefix,
      loader: this.#loader,
      clock,
      cluster: valkey.cluster,
      groupTimeoutMs: 2 * (valkey.requestTimeoutMs ?? defaultRequestTimeoutMs),
      callTimeoutMs,
    };
    this.replicated = new GroupedCalls({ ...shared, client: waitingClient, waitTimeoutMs });
    this.plain = new GroupedCalls({ ...shared, client, waitTimeoutMs: 0 });
  }

  /** Connects and loads the functions. @throws what the client library throws when nobody answers */
  static async open(options: LogConnectionsOptions): Promise<LogConnections> {
    const { valkey, clock, log } = options;
    const connect = () => connectValkey(valkey);
    const client = await SupervisedClient.connect({ connect, clock, log, name: "log" });
    const waitingClient = await SupervisedClient.connect({ connect, clock, log, name: "log, waiting" });
    const connections = new LogConnections(options, client, waitingClient);
    try {
      await connections.#loader.load(client);
      await Promise.all([connections.replicated.refresh(), connections.plain.refresh()]);
      return connections;
    } catch (reason) {
      await connections[Symbol.asyncDispose]();
      throw reason;
    }
  }

  /** A call of one of the log's functions. */
  functionCall(name: string, keys: readonly string[], args: readonly CommandPart[]): Command {
    const isCluster = this.#isCluster ? "1" : "0";
    return ["FCALL", `${functionPrefix}_${name}`, String(keys.length), ...keys, isCluster, ...args];
  }

  /** Sends a command that does no harm when it is carried out twice. @throws FanfareError UNAVAILABLE */
  async send(command: Command): Promise<Reply> {
    try {
      return await this.#client.send(command);
    } catch (reason) {
      if (!isFunctionMissing(reason)) throw unavailable(reason);
    }
    try {
      await this.#loader.load(this.#client);
      return await this.#client.send(command);
    } catch (reason) {
      throw unavailable(reason);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.replicated.close();
    this.plain.close();
    this.#client.close();
    this.#waitingClient.close();
  }
}

function unavailable(cause: unknown): FanfareError {
  return new FanfareError(ErrorCode.UNAVAILABLE, "the log's store is out of reach", { cause });
}
