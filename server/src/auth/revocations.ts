import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";
import { ExpiringTable } from "./expiring-table.ts";

const MAX_REVOCATIONS = 100_000;
const REMEMBERED_MS = 24 * 60 * 60 * 1000;

/**
 * From when on a player's tokens are good. In memory, of this node. An entry is remembered for 24 hours, so tokens that live longer
 * are good again after it. At most 100,000 entries; one more is refused.
 */
export class Revocations {
  readonly #table: ExpiringTable<number>;
  readonly #nowMs: () => number;

  constructor(nowMs: () => number, maxEntries = MAX_REVOCATIONS) {
    this.#nowMs = nowMs;
    this.#table = new ExpiringTable(maxEntries, nowMs);
  }

  /**
   * Refuses the player's tokens that were issued before a time. An earlier time than one remembered changes nothing.
   * @returns the time that holds, in milliseconds since 1970-01-01 UTC
   * @throws FanfareError LIMIT_EXCEEDED if the table is full
   */
  revoke(appId: string, playerId: string, issuedBeforeMs: number): number {
    const key = `${appId}/${playerId}`;
    const holds = Math.max(issuedBeforeMs, this.#table.get(key) ?? 0);
    if (!this.#table.set(key, holds, this.#nowMs() + REMEMBERED_MS)) {
      throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, "the node remembers no more revocations; try again later");
    }
    return holds;
  }

  /** Whether a token is refused. One without `iat` (0) is older than any revocation. */
  isRevoked(appId: string, playerId: string, issuedAtMs: number): boolean {
    const before = this.#table.get(`${appId}/${playerId}`);
    return before !== undefined && issuedAtMs < before;
  }

  /** Forgets what is known of a player. */
  forget(appId: string, playerId: string): void {
    this.#table.delete(`${appId}/${playerId}`);
  }

  /** @throws FanfareError TOKEN_REVOKED */
  check(appId: string, playerId: string, issuedAtMs: number): void {
    if (!this.isRevoked(appId, playerId, issuedAtMs)) return;
    throw new FanfareError(ErrorCode.TOKEN_REVOKED, "the token was withdrawn; bring a newer one");
  }
}
