import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";
import { PlayerTable, type PlayerTableOptions } from "./player-table.ts";

const REMEMBERED_MS = 24 * 60 * 60 * 1000;

/**
 * From when on a player's tokens are good, in memory. An entry is remembered for 24 hours, so tokens that live longer are good again after it. Of a node
 * alone this is all there is, and one too many is refused; in a cluster a copy of what the store has, as bans are.
 */
export class Revocations {
  readonly #table: PlayerTable<number>;
  readonly #nowMs: () => number;

  constructor(nowMs: () => number, options?: PlayerTableOptions) {
    this.#nowMs = nowMs;
    this.#table = new PlayerTable(nowMs, options);
  }

  /**
   * Refuses the player's tokens that were issued before a time. An earlier time than one remembered changes nothing.
   * @returns the time that holds, in milliseconds since 1970-01-01 UTC
   * @throws FanfareError LIMIT_EXCEEDED if the node remembers no more of the app, and is not in a cluster
   */
  revoke(appId: string, playerId: string, issuedBeforeMs: number): number {
    const holds = Math.max(issuedBeforeMs, this.#table.get(appId, playerId) ?? 0);
    if (this.#table.set(appId, playerId, holds, this.#nowMs() + REMEMBERED_MS)) return holds;
    const message = `the node remembers ${this.#table.share} withdrawals of an app, and this is one more: the tokens are still good; try again later`;
    throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, message);
  }

  /** Whether a token is refused. One without `iat` (0) is older than any revocation. */
  isRevoked(appId: string, playerId: string, issuedAtMs: number): boolean {
    const before = this.#table.get(appId, playerId);
    return before !== undefined && issuedAtMs < before;
  }

  /** Forgets what is known of a player. */
  forget(appId: string, playerId: string): void {
    this.#table.delete(appId, playerId);
  }

  /** @throws FanfareError TOKEN_REVOKED */
  check(appId: string, playerId: string, issuedAtMs: number): void {
    if (!this.isRevoked(appId, playerId, issuedAtMs)) return;
    throw new FanfareError(ErrorCode.TOKEN_REVOKED, "the token was withdrawn; bring a newer one");
  }
}
