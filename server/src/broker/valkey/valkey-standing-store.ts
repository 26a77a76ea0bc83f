import { lineOf } from "../../valkey/reply-mark.ts";
import type { Reply } from "../../valkey/valkey-client.ts";
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
    const fields = ["b", "w", "t", "x", "k", "y"];
    const [banned, reason, revoked, revokedUntil, kicked, kickedUntil] = await this.#connections.read(
      "read",
      standing,
      fields,
    );
    const nowMs = this.#connections.clock.nowMs();
    const stands = (until: Reply | undefined) => until !== null && timeOf(String(until)) > nowMs;
    const isBanned = stands(banned);
    return {
      bannedUntilMs: isBanned ? timeOf(String(banned)) : undefined,
      banReason: isBanned ? String(reason ?? "") : "",
      revokedBeforeMs: stands(revokedUntil) ? Number(revoked) : 0,
      kickedAtMs: stands(kickedUntil) ? Number(kicked) : 0,
    };
  }

  async ban(appId: string, playerId: string, untilMs: number, reason: string): Promise<void> {
    const until = untilMs === Number.POSITIVE_INFINITY ? forGood : String(Math.ceil(untilMs));
    const standing = this.#connections.keys.standing(appId, playerId);
    await this.#connections.changeOnce("standing_ban", standing, [until, reason]);
  }

  async unban(appId: string, playerId: string): Promise<boolean> {
    const standing = this.#connections.keys.standing(appId, playerId);
    return lineOf(await this.#connections.changeOnce("standing_unban", standing, []))[2] === "1";
  }

  async revoke(appId: string, playerId: string, beforeMs: number, lifeMs: number): Promise<void> {
    const standing = this.#connections.keys.standing(appId, playerId);
    const args = [String(Math.ceil(beforeMs)), String(Math.ceil(lifeMs))];
    await this.#connections.change("standing_revoke", standing, args);
  }

  async kick(appId: string, playerId: string, lifeMs: number): Promise<void> {
    const standing = this.#connections.keys.standing(appId, playerId);
    await this.#connections.changeOnce("standing_kick", standing, [String(Math.ceil(lifeMs))]);
  }
}

/** In the place of a time. */
const forGood = "inf";

function timeOf(text: string): number {
  return text === forGood ? Number.POSITIVE_INFINITY : Number(text);
}
