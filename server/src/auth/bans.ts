import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";
import { PlayerTable, type PlayerTableOptions } from "./player-table.ts";

/** Why and how long a player is kept out. */
export interface BanEntry {
  readonly reason: string;
  /** Milliseconds since 1970-01-01 UTC; infinite: until it is lifted. */
  readonly untilMs: number;
}

/**
 * The players who are kept out, in memory. Of a node alone these are all bans there are: gone when the process ends, and one too many is refused. In a
 * cluster it is a copy of what the store has, which is looked at when a player comes: what was forgotten here is found there.
 */
export class Bans {
  readonly #table: PlayerTable<BanEntry>;
  readonly #nowMs: () => number;

  constructor(nowMs: () => number, options?: PlayerTableOptions) {
    this.#nowMs = nowMs;
    this.#table = new PlayerTable(nowMs, options);
  }

  /**
   * Bans a player; replaces a ban there is.
   * @param durationS 0: until it is lifted
   * @throws FanfareError LIMIT_EXCEEDED if the node keeps no more bans of the app, and is not in a cluster
   */
  ban(appId: string, playerId: string, durationS: number, reason: string): void {
    const untilMs = durationS === 0 ? Number.POSITIVE_INFINITY : this.#nowMs() + durationS * 1000;
    this.banUntil(appId, playerId, untilMs, reason);
  }

  /** As `ban`, until a time: milliseconds since 1970-01-01 UTC, or infinite. */
  banUntil(appId: string, playerId: string, untilMs: number, reason: string): void {
    if (this.#table.set(appId, playerId, { reason, untilMs }, untilMs)) return;
    const message = `the node keeps ${this.#table.share} bans of an app, and this is one more: the player can come back. Lift some that have no end`;
    throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, message);
  }

  /** Lifts a ban; tells whether there was one. */
  unban(appId: string, playerId: string): boolean {
    return this.#table.delete(appId, playerId);
  }

  /** The ban that holds now. */
  banOf(appId: string, playerId: string): BanEntry | undefined {
    return this.#table.get(appId, playerId);
  }

  /** Bans of an app that are remembered, also some that have ended. */
  sizeOf(appId: string): number {
    return this.#table.sizeOf(appId);
  }

  /** @throws FanfareError BANNED with the reason that was given */
  check(appId: string, playerId: string): void {
    const ban = this.banOf(appId, playerId);
    if (ban === undefined) return;
    throw new FanfareError(ErrorCode.BANNED, ban.reason === "" ? "the player is banned" : ban.reason);
  }
}
