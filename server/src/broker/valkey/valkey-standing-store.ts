import { lineOf } from "../../valkey/reply-mark.ts";
import type { Standing, StandingStore } from "../standing-store.ts";
import type { BrokerConnections } from "./broker-connections.ts";

/** Bans and withdrawn tokens in Valkey: one hash a player, described in `lua/standing.ts`. */
export class ValkeyStandingStore implements StandingStore {
  readonly #connections: BrokerConnections;

  constructor(connections: BrokerConnections) {
    this.#connections = connections;
  }

  async get(appId: string, playerId: string): Promise<Standing> {
    const standing = this.#connections.keys.standing(appId, playerId);
    const [banned, reason, revoked, kicked] = await this.#connections.read("read", standing, ["b", "w", "t", "k"]);
    const bannedUntilMs = banned === null ? undefined : timeOf(String(banned));
    const isBanned = bannedUntilMs !== undefined && bannedUntilMs > this.#connections.clock.nowMs();
    return {
      bannedUntilMs: isBanned ? bannedUntilMs : undefined,
      banReason: isBanned ? String(reason ?? "") : "",
      revokedBeforeMs: Number(revoked ?? 0),
      kickedAtMs: Number(kicked ?? 0),
    };
  }

  async ban(appId: string, playerId: string, untilMs: number, reason: string): Promise<void> {
    const until = untilMs === Number.POSITIVE_INFINITY ? forGood : String(Math.ceil(untilMs));
    const standing = this.#connections.keys.standing(appId, playerId);
    await this.#connections.change("standing_ban", standing, [until, reason]);
  }

  async unban(appId: string, playerId: string): Promise<boolean> {
    const standing = this.#connections.keys.standing(appId, playerId);
    return lineOf(await this.#connections.change("standing_unban", standing, []))[2] === "1";
  }

  async revoke(appId: string, playerId: string, beforeMs: number, lifeMs: number): Promise<void> {
    const standing = this.#connections.keys.standing(appId, playerId);
    const args = [String(Math.ceil(beforeMs)), String(Math.ceil(lifeMs))];
    await this.#connections.change("standing_revoke", standing, args);
  }

  async kick(appId: string, playerId: string, lifeMs: number): Promise<void> {
    const standing = this.#connections.keys.standing(appId, playerId);
    await this.#connections.change("standing_kick", standing, [String(Math.ceil(lifeMs))]);
  }
}

/** In the place of a time. */
const forGood = "inf";

function timeOf(text: string): number {
  return text === forGood ? Number.POSITIVE_INFINITY : Number(text);
}
