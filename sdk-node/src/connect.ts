import type { Client, ConnectOptions } from "@fanfare/sdk-core";
import { type Clock, openClient, type Ports } from "@fanfare/sdk-core/port";
import { nodeSockets } from "./node-socket.ts";
import { version } from "./version.ts";

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (delayMs, callback) => setTimeout(callback, delayMs),
  clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
};

const ports: Ports = {
  clock,
  random: { next: () => Math.random() },
  sockets: nodeSockets,
  client: {
    name: "fanfare-sdk-node",
    version,
    platform: `node ${process.versions.node} ${process.platform} ${process.arch}`,
  },
};

/**
 * Connects a player. Resolves when the server has welcomed the session; from then on the client reconnects by itself, until it is
 * closed, or the server ends it. Rejects with a {@link FanfareError}: what the server refused for good, INVALID_ARGUMENT for options, the
 * last failure after `connectTimeoutMs`, CANCELLED by the signal.
 *
 * ```ts
 * const client = await connect({ url: "http://127.0.0.1:8080", getToken: () => token });
 * ```
 */
export function connect(options: ConnectOptions): Promise<Client> {
  return openClient(options, ports);
}
