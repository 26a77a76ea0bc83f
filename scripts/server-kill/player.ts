import type { Client } from "@fanfare/sdk-core";
import { type Clock, openClient } from "@fanfare/sdk-core/port";
import { mintToken } from "@fanfare/sdk-node/token";
import { nodeSockets } from "../../sdk-node/src/node-socket.ts";
import { tokenSecret } from "./server-on-valkey.ts";

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (delayMs, callback) => setTimeout(callback, delayMs),
  clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
};

/** The back-off would grow to 30 s where a server is away for long; these clients come back within a quarter of a second. */
const random = { next: () => Math.random() / 128 };
const info = { name: "fanfare-server-kill", version: "0", platform: "node" };

/** A player of the app `game`, connected. */
export async function openPlayer(name: string, url: string): Promise<Client> {
  const mint = { app: "game", player: name, key: tokenSecret, keyId: "k", lifetimeMs: 3_600_000 };
  const { token } = await mintToken(mint);
  return await openClient({ url, getToken: () => token }, { clock, random, sockets: nodeSockets, client: info });
}
