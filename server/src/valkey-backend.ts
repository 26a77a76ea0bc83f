import { readFileSync } from "node:fs";
import { ErrorCode } from "@fanfare/proto/v1";
import { openValkeyBroker, type ValkeyBroker } from "./broker/valkey/open-valkey-broker.ts";
import type { Clock } from "./clock.ts";
import type { ResolvedValkey } from "./config/resolved-valkey.ts";
import { FanfareError } from "./fanfare-error.ts";
import type { DurableStores } from "./log/durable-stores.ts";
import { defaultAppendWaitMs, LogConnections } from "./log/valkey/log-connections.ts";
import { ValkeyCursorStore } from "./log/valkey/valkey-cursor-store.ts";
import { ValkeyMessageLog } from "./log/valkey/valkey-message-log.ts";
import type { ValkeyFigures } from "./observe/cluster-metrics.ts";
import type { Log } from "./observe/log.ts";
import { type RandomBytes, systemRandom } from "./random.ts";
import { refusalOf } from "./valkey/reply-errors.ts";
import { glideConnector, type ValkeyConnector } from "./valkey/valkey-client.ts";
import type { ValkeyOptions } from "./valkey/valkey-options.ts";

/** How a node's part in Valkey is opened. */
export interface ValkeyBackendOptions {
  readonly valkey: ResolvedValkey;
  readonly clock: Clock;
  readonly log: Log;
  /** Default: GLIDE. */
  readonly connector?: ValkeyConnector;
  /** Default: the machine's own. */
  readonly random?: RandomBytes;
}

/** Everything of a node that is in Valkey: what connects it with others, durable channels and cursors. */
export class ValkeyBackend implements AsyncDisposable {
  readonly broker: ValkeyBroker;
  readonly stores: DurableStores;
  readonly #log: LogConnections;
  readonly #resources: AsyncDisposableStack;

  private constructor(
    broker: ValkeyBroker,
    log: LogConnections,
    stores: DurableStores,
    resources: AsyncDisposableStack,
  ) {
    this.broker = broker;
    this.stores = stores;
    this.#log = log;
    this.#resources = resources;
  }

  /**
   * Connects and loads the functions.
   * @throws FanfareError FAILED_PRECONDITION if GLIDE is not installed; UNAUTHENTICATED if Valkey refuses user or password; PERMISSION_DENIED
   *   if that user lacks a permission; UNAVAILABLE if Valkey cannot be reached or used
   */
  static async open(options: ValkeyBackendOptions): Promise<ValkeyBackend> {
    const { clock, log, connector = glideConnector, random = systemRandom } = options;
    const valkey = { ...options.valkey, ...readAuthorities(options.valkey) };
    const { readsReplicas: _, ...primaries } = valkey;
    const { keyPrefix, lanes, laneTimeoutMs, waitTimeoutMs, callTimeoutMs } = valkey;
    await using opened = new AsyncDisposableStack();
    try {
      const shared = { clock, log, keyPrefix, ...(callTimeoutMs && { callTimeoutMs }) };
      const broker = opened.use(
        await openValkeyBroker({
          ...{ ...shared, valkey: primaries, connector, random },
          ...(lanes && { lanes }),
          ...(laneTimeoutMs && { laneTimeoutMs }),
          ...(waitTimeoutMs && { waitTimeoutMs }),
        }),
      );
      const connect = (to: ValkeyOptions) => connector.connect(to);
      const sendTimeoutMs = callTimeoutMs && { sendTimeoutMs: callTimeoutMs };
      const connections = await LogConnections.open({
        isSettled: (node) => broker.isSettled(node),
        isBelieved: (mark, sentAtMs) => broker.answeredElsewhere(mark, sentAtMs),
        topology: broker.topology,
        ...shared,
        valkey,
        connect,
        // A replica that is slow to answer is slow for appends, too. They gain nothing by waiting less: their outcome is unknown then.
        waitTimeoutMs: Math.max(waitTimeoutMs ?? 0, defaultAppendWaitMs),
        ...sendTimeoutMs,
      });
      const messageLog = opened.use(new ValkeyMessageLog(connections, random));
      const stores = { messageLog, cursorStore: new ValkeyCursorStore(connections) };
      return new ValkeyBackend(broker, connections, stores, opened.move());
    } catch (reason) {
      throw startError(reason, valkey);
    }
  }

  /** What broker and log count of Valkey, for metrics. */
  get counts(): ValkeyFigures {
    const { counts } = this.broker;
    const { clientCounts, lateReplicas } = this.#log;
    return {
      ...counts,
      lateReplicas: counts.lateReplicas + lateReplicas,
      logClientsReplaced: clientCounts.replaced,
      logClientReplacementsFailed: clientCounts.replacementsFailed,
    };
  }

  /** What waits to be written to durable channels is not written any more: see {@link LogConnections.giveUpAll}. */
  giveUpAll(): void {
    this.#log.giveUpAll();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync();
  }
}

/** @throws FanfareError FAILED_PRECONDITION if there is a file that cannot be read */
function readAuthorities({ certificateAuthorityFile: file }: ResolvedValkey): { certificateAuthorities?: string } {
  if (file === undefined) return {};
  try {
    return { certificateAuthorities: readFileSync(file, "utf8") };
  } catch (cause) {
    const field = "valkey.certificate_authority_file";
    throw new FanfareError(ErrorCode.FAILED_PRECONDITION, `${field} ${file} cannot be read`, { cause, field });
  }
}

/** Says in a sentence why Valkey cannot be used. */
function startError(cause: unknown, { addresses, cluster }: ResolvedValkey): FanfareError {
  const where = addresses.map(({ host, port }) => `${host}:${port}`).join(", ");
  const refusal = permissionRefusal(cause);
  if (refusal !== undefined) {
    const text = `Valkey at ${where} refuses what its user lacks the permission for: compare the ACL with docs/guide/valkey.md (${wordsOf(refusal)})`;
    return new FanfareError(ErrorCode.PERMISSION_DENIED, text, { cause, field: "valkey.username" });
  }
  if (cause instanceof FanfareError) return cause;
  const { message, code } = cause as NodeJS.ErrnoException;
  if (code === "ERR_MODULE_NOT_FOUND") {
    const text =
      "valkey is configured, and the package @valkey/valkey-glide is not installed: install it beside the server";
    return new FanfareError(ErrorCode.FAILED_PRECONDITION, text, { cause, field: "valkey" });
  }
  if (/WRONGPASS|NOAUTH/i.test(message)) {
    const text = `Valkey at ${where} refuses the user or password: check valkey.username and the variable that valkey.password_environment names`;
    return new FanfareError(ErrorCode.UNAUTHENTICATED, text, { cause, field: "valkey.password_environment" });
  }
  const words = wordsOf(cause as Error);
  if (refusalOf(cause) !== undefined) {
    const text = `Valkey at ${where} refuses what a node needs (${words})`;
    return new FanfareError(ErrorCode.UNAVAILABLE, text, { cause, field: "valkey.addresses" });
  }
  // As a rule GLIDE says no more than that time has passed.
  const advice = `valkey.addresses, that it is ${cluster ? "a" : "no"} cluster, TLS and its certificate, and maxclients of Valkey`;
  const text = `Valkey at ${where} cannot be used: check ${advice} (${words})`;
  return new FanfareError(ErrorCode.UNAVAILABLE, text, { cause, field: "valkey.addresses" });
}

/** The error of Valkey, itself or behind this one, that tells of a command, a key or a channel without the permission for it. */
function permissionRefusal(error: unknown): Error | undefined {
  if (!(error instanceof Error)) return undefined;
  const isRefusal = /PermissionDenied|NOPERM|ACL failure|no permissions/i.test(error.message);
  return isRefusal ? error : permissionRefusal(error.cause);
}

/** GLIDE puts line breaks into what it wraps. */
function wordsOf({ message }: Error): string {
  return message.replaceAll(/\s+/g, " ").trim();
}
