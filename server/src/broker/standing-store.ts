/** What stands against a player. */
export interface Standing {
  /** Wall clock, in milliseconds; `Infinity`: for good; undefined: not banned. */
  readonly bannedUntilMs: number | undefined;
  /** Why, as the backend said. */
  readonly banReason: string;
  /** Tokens issued before it are void; wall clock, in milliseconds; 0: none. */
  readonly revokedBeforeMs: number;
  /** When the player's sessions were ended for the last time, by the store's clock; to be compared with no other time. 0: never. */
  readonly kickedAtMs: number;
}

/** Bans, withdrawn tokens and ended sessions. Held by a replica where there is one. */
export interface StandingStore {
  /** Begun after a change was answered, it has that change. */
  get(appId: string, playerId: string): Promise<Standing>;
  ban(appId: string, playerId: string, untilMs: number, reason: string): Promise<void>;
  /** @returns whether there was a ban */
  unban(appId: string, playerId: string): Promise<boolean>;
  /** Never set back by an older time. @param lifeMs how long it is remembered: longer than tokens live */
  revoke(appId: string, playerId: string, beforeMs: number, lifeMs: number): Promise<void>;
  /**
   * Ends the player's sessions: `kickedAtMs` is higher than before, and a claim of {@link SessionStore} that knows it refuses what began before.
   * @param lifeMs how long it is remembered: longer than sessions without a connection live
   */
  kick(appId: string, playerId: string, lifeMs: number): Promise<void>;
}
