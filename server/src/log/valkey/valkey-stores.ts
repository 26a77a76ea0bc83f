import { ErrorCode } from "@fanfare/proto/v1";
import type { Clock } from "../../clock.ts";
import type { ResolvedValkey } from "../../config/resolved-valkey.ts";
import { FanfareError } from "../../fanfare-error.ts";
import type { Log } from "../../observe/log.ts";
import type { RandomBytes } from "../../random.ts";
import { SoloLease } from "../../valkey/solo-lease.ts";
import { SupervisedClient } from "../../valkey/supervised-client.ts";
import { connectValkey, type ValkeyClient } from "../../valkey/valkey-client.ts";
import type { DurableStores } from "../durable-stores.ts";
import { LogConnections } from "./log-connections.ts";
import { ValkeyCursorStore } from "./valkey-cursor-store.ts";
import { ValkeyMessageLog } from "./valkey-message-log.ts";

/** How a node's stores in Valkey are opened. */
export interface ValkeyStoresOptions {
  readonly valkey: ResolvedValkey;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Life of the lease that keeps other nodes away, in milliseconds. Default: that of {@link SoloLease}. */
  readonly leaseLifeMs?: number;
  /** Makes a client. Default: GLIDE's. */
  readonly connect?: (valkey: ResolvedValkey) => Promise<ValkeyClient>;
  /** Default: the machine's own. */
  readonly random?: RandomBytes;
}

/** Durable channels and cursors in Valkey, and the lease under which this node alone uses them. */
export class ValkeyStores implements DurableStores, AsyncDisposable {
  readonly messageLog: ValkeyMessageLog;
  readonly cursorStore: ValkeyCursorStore;
  readonly lease: SoloLease;
  readonly #client: SupervisedClient;

  private constructor(
    client: SupervisedClient,
    lease: SoloLease,
    connections: LogConnections,
    random: RandomBytes | undefined,
  ) {
    this.#client = client;
    this.lease = lease;
    this.messageLog = new ValkeyMessageLog(connections, random);
    this.cursorStore = new ValkeyCursorStore(connections);
  }

  /**
   * Connects, takes the lease and loads the functions.
   * @throws FanfareError FAILED_PRECONDITION if another node uses the prefix, or GLIDE is not installed; UNAUTHENTICATED if Valkey refuses user
   *   or password; UNAVAILABLE if it cannot be reached or used
   */
  static async open(options: ValkeyStoresOptions): Promise<ValkeyStores> {
    const { valkey, nodeId, clock, log, leaseLifeMs, random, connect: connectTo = connectValkey } = options;
    const { keyPrefix } = valkey;
    await using opened = new AsyncDisposableStack();
    try {
      const connect = () => connectTo(valkey);
      const client = await SupervisedClient.connect({ connect, clock, log, name: "lease" });
      opened.defer(() => client.close());
      const lease = await SoloLease.take({
        client,
        clock,
        log,
        keyPrefix,
        nodeId,
        ...(leaseLifeMs && { lifeMs: leaseLifeMs }),
        ...(random && { random }),
      });
      opened.defer(() => lease.release());
      const connections = await LogConnections.open({ valkey, clock, log, keyPrefix, connect });
      opened.move();
      return new ValkeyStores(client, lease, connections, random);
    } catch (reason) {
      throw startError(reason, valkey);
    }
  }

  /** Gives the lease back last, when nothing writes any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.messageLog[Symbol.asyncDispose]();
    await this.lease.release();
    this.#client.close();
  }
}

/** Says in a sentence why Valkey cannot be used. */
function startError(cause: unknown, { addresses, cluster }: ResolvedValkey): FanfareError {
  if (cause instanceof FanfareError) return cause;
  const { message, code } = cause as NodeJS.ErrnoException;
  const where = addresses.map(({ host, port }) => `${host}:${port}`).join(", ");
  if (code === "ERR_MODULE_NOT_FOUND") {
    const text =
      "valkey is configured, and the package @valkey/valkey-glide is not installed: install it beside the server";
    return new FanfareError(ErrorCode.FAILED_PRECONDITION, text, { cause, field: "valkey" });
  }
  if (/WRONGPASS|NOAUTH|NOPERM|no permissions/i.test(message)) {
    const text = `Valkey at ${where} refuses the user or password: check valkey.username and the variable that valkey.password_environment names`;
    return new FanfareError(ErrorCode.UNAUTHENTICATED, text, { cause, field: "valkey.password_environment" });
  }
  const text = `Valkey at ${where} cannot be used: check valkey.addresses, that it is ${cluster ? "a" : "no"} cluster, and TLS (${message.trim()})`;
  return new FanfareError(ErrorCode.UNAVAILABLE, text, { cause, field: "valkey.addresses" });
}
