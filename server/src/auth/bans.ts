import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";
import { ExpiringTable } from "./expiring-table.ts";

/** Why and how long a player is kept out. */
export interface BanEntry {
  readonly reason: string;
  /** Milliseconds since 1970-01-01 UTC; infinite: until it is lifted. */
  readonly untilMs: number;
}

const MAX_BANS = 100_000;

/** The players who are kept out. In memory, of this node: gone when the process ends. At most 100,000; one more is refused. */
export class Bans {
  readonly #table: ExpiringTable<BanEntry>;
  readonly #nowMs: () => number;

  constructor(nowMs: () => number, maxEntries = MAX_BANS) {
    this.#nowMs = nowMs;
    this.#table = new ExpiringTable(maxEntries, nowMs);
  }

  /**
   * Bans a player; replaces a ban there is.
   * @param durationS 0: until it is lifted
   * @throws FanfareError LIMIT_EXCEEDED if the table is full
   */
  ban(appId: string, playerId: string, durationS: number, reason: string): void {
    const untilMs = durationS === 0 ? Number.POSITIVE_INFINITY : this.#nowMs() + durationS * 1000;
    this.banUntil(appId, playerId, untilMs, reason);
  }

  /** As `ban`, until a time: milliseconds since 1970-01-01 UTC, or infinite. */
  banUntil(appId: string, playerId: string, untilMs: number, reason: string): void {
    if (this.#table.set(keyOf(appId, playerId), { reason, untilMs }, untilMs)) return;
    throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, "the node keeps no more bans; lift some that have no end");
  }

  /** Lifts a ban; tells whether there was one. */
  unban(appId: string, playerId: string): boolean {
    return this.#table.delete(keyOf(appId, playerId));
  }

  /** The ban that holds now. */
  banOf(appId: string, playerId: string): BanEntry | undefined {
    return this.#table.get(keyOf(appId, playerId));
  }

  /** @throws FanfareError BANNED with the reason that was given */
  check(appId: string, playerId: string): void {
    const ban = this.banOf(appId, playerId);
    if (ban === undefined) return;
    throw new FanfareError(ErrorCode.BANNED, ban.reason === "" ? "the player is banned" : ban.reason);
  }
}

/** Ids of apps have no slash. */
function keyOf(appId: string, playerId: string): string {
  return `${appId}/${playerId}`;
}
