import type { Client, ConnectOptions } from "@fanfare/sdk-core";
import { type Clock, openClient, type Ports } from "@fanfare/sdk-core/port";
import { browserSockets } from "./browser-socket.ts";
import { pageLifecycle } from "./page-lifecycle.ts";
import { version } from "./version.ts";

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (delayMs, callback) => setTimeout(callback, delayMs),
  clearTimer: (timer) => clearTimeout(timer as number | undefined),
};

/**
 * Connects a player. Resolves when the server has welcomed the session; from then on the client reconnects by itself, until it is
 * closed, or the server ends it. Rejects with a {@link FanfareError}: what the server refused for good, INVALID_ARGUMENT for options, the
 * last failure after `connectTimeoutMs`, CANCELLED by the signal.
 *
 * ```ts
 * const client = await connect({ url: location.origin, getToken: () => fetchToken() });
 * ```
 */
export function connect(options: ConnectOptions): Promise<Client> {
  const ports: Ports = {
    clock,
    random: { next: () => Math.random() },
    sockets: browserSockets,
    lifecycle: typeof document === "undefined" ? undefined : pageLifecycle, // absent in workers
    client: { name: "fanfare-sdk-browser", version, platform: navigator.userAgent.slice(0, 128) },
  };
  return openClient(options, ports);
}
