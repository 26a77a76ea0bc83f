import { ErrorCode } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";

/**
 * Who belongs to which group, as the backend made it: the embedded store of one app, in memory. Bounded by memberships a player
 * and in all; outlives sessions, not the process.
 */
export class Memberships {
  readonly #maxPerPlayer: number;
  readonly #maxTotal: number;
  #total = 0;
  readonly #groups = new Map<string, Set<string>>();
  readonly #players = new Map<string, Set<string>>();

  /**
   * @param maxPerPlayer may be infinite
   * @param maxTotal memberships of all players; one more is refused
   */
  constructor(maxPerPlayer: number, maxTotal = 5_000_000) {
    this.#maxPerPlayer = maxPerPlayer;
    this.#maxTotal = maxTotal;
  }

  /**
   * Makes a player a member. False: was one already.
   * @throws FanfareError LIMIT_EXCEEDED
   */
  add(playerId: string, group: string): boolean {
    const groups = this.#groups.get(playerId) ?? new Set();
    if (groups.has(group)) return false;
    if (groups.size >= this.#maxPerPlayer) {
      throw new FanfareError(
        ErrorCode.LIMIT_EXCEEDED,
        `${playerId} is a member of ${this.#maxPerPlayer} groups already; limits.max_memberships sets the bound`,
      );
    }
    if (this.#total >= this.#maxTotal) {
      throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, `the node keeps ${this.#maxTotal} memberships; end some first`);
    }
    this.#total++;
    groups.add(group);
    this.#groups.set(playerId, groups);
    const players = this.#players.get(group) ?? new Set();
    players.add(playerId);
    this.#players.set(group, players);
    return true;
  }

  /** Ends a membership. False: there was none. */
  remove(playerId: string, group: string): boolean {
    const groups = this.#groups.get(playerId);
    if (groups === undefined || !groups.delete(group)) return false;
    this.#total--;
    if (groups.size === 0) this.#groups.delete(playerId);
    const players = this.#players.get(group);
    players?.delete(playerId);
    if (players?.size === 0) this.#players.delete(group);
    return true;
  }

  has(playerId: string, group: string): boolean {
    return this.#groups.get(playerId)?.has(group) ?? false;
  }

  /** Takes over what a store says of a player; what was known before is forgotten. */
  replace(playerId: string, groups: readonly string[]): void {
    for (const group of this.groupsOf(playerId)) this.remove(playerId, group);
    for (const group of groups) this.add(playerId, group);
  }

  /** In the order of their names. */
  groupsOf(playerId: string): string[] {
    return [...(this.#groups.get(playerId) ?? [])].sort();
  }

  /** In the order of their names. */
  playersOf(group: string): string[] {
    return [...(this.#players.get(group) ?? [])].sort();
  }
}
