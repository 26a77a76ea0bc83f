import { checkNumber } from "./bounds.ts";
import type { TappedFrame } from "./connection/frame-tap.ts";
import type { TokenReason } from "./connection/states.ts";
import { FanfareError } from "./error.ts";
import type { StatusEvent } from "./status.ts";
import { connectUrl, originOf } from "./url.ts";
import { ErrorCode } from "./wire/schema.ts";

/** What a token is asked for. */
export interface TokenRequest {
  /** `connect`, `refresh` (the one in use expires soon), `expired` or `revoked`. */
  readonly reason: TokenReason;
  /** Aborted when nobody waits for the token any more. */
  readonly signal: AbortSignal;
}

/** How to connect. Every duration is in milliseconds. */
export interface ConnectOptions {
  /** The server: `wss://…`, `ws://…`, `https://…` or `http://…`. Without a path, `/v1/connect` is added. */
  url: string;
  /**
   * Gives the player's token. Asked before the first connection, at 80 % of the token's life, and when a token was refused. What it throws
   * is tried again with back-off, unless it is a FanfareError that is not retryable: that closes the client.
   */
  getToken: (request: TokenRequest) => string | Promise<string>;
  /** Gives up connecting; has no effect once connected. */
  signal?: AbortSignal | undefined;
  /** How long `connect` tries before it rejects with the last error. Default: 30,000. */
  connectTimeoutMs?: number | undefined;
  /** How long requests wait for their reply, over reconnects. Default: 15,000. */
  requestTimeoutMs?: number | undefined;
  /** How long publishes wait for an answer, over reconnects, if they do not say so themselves. Default: 30,000. */
  publishTimeoutMs?: number | undefined;
  /** Publishes that wait for a connection. Past it they are refused with LIMIT_EXCEEDED. Default: 1,000. */
  maxQueuedPublishes?: number | undefined;
  /** Bytes of the publishes that wait for a connection. Default: 1 MiB. */
  maxQueuedBytes?: number | undefined;
  /** The heartbeat interval to ask the server for. Default: the server's own. */
  heartbeatIntervalMs?: number | undefined;
  /** Other origins, for instance `wss://eu.example.com`, to which a server may send this client. Default: none. */
  allowedOrigins?: readonly string[] | undefined;
  /** Told of everything from the first attempt on; as `client.on("status", …)`. */
  onStatus?: ((event: StatusEvent) => unknown) | undefined;
  /** Shows every frame to an inspector. Costs nothing when it is not set. */
  onFrame?: ((frame: TappedFrame) => void) | undefined;
}

/** Options with their defaults. */
export interface ResolvedOptions {
  url: string;
  getToken: ConnectOptions["getToken"];
  signal: AbortSignal | undefined;
  connectTimeoutMs: number;
  requestTimeoutMs: number;
  publishTimeoutMs: number;
  maxQueuedPublishes: number;
  maxQueuedBytes: number;
  heartbeatIntervalMs: number;
  allowedOrigins: readonly string[];
  onStatus: ConnectOptions["onStatus"];
  onFrame: ConnectOptions["onFrame"];
}

/** Checks options and fills in defaults. Throws INVALID_ARGUMENT. */
export function resolveOptions(options: ConnectOptions): ResolvedOptions {
  if (typeof options.getToken !== "function") {
    throw new FanfareError(ErrorCode.INVALID_ARGUMENT, "getToken has to be a function", { field: "getToken" });
  }
  return {
    url: connectUrl(options.url),
    getToken: options.getToken,
    signal: options.signal,
    connectTimeoutMs: count(options, "connectTimeoutMs", 30_000),
    requestTimeoutMs: count(options, "requestTimeoutMs", 15_000),
    publishTimeoutMs: count(options, "publishTimeoutMs", 30_000),
    maxQueuedPublishes: count(options, "maxQueuedPublishes", 1000),
    maxQueuedBytes: count(options, "maxQueuedBytes", 1024 * 1024),
    heartbeatIntervalMs: count(options, "heartbeatIntervalMs", 0),
    allowedOrigins: (options.allowedOrigins ?? []).map(originOf),
    onStatus: options.onStatus,
    onFrame: options.onFrame,
  };
}

type Counts = {
  [K in keyof ConnectOptions]-?: ConnectOptions[K] extends number | undefined ? K : never;
}[keyof ConnectOptions];

function count(options: ConnectOptions, name: Counts, fallback: number): number {
  const value = options[name] ?? fallback;
  checkNumber(name, value, 0xffff_ffff);
  return value;
}
