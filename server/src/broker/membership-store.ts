/** The groups of a player. */
export interface PlayerMemberships {
  /** In the order of their names. */
  readonly groups: readonly string[];
  /** Grows with every change of this player's memberships. */
  readonly version: number;
}

/** A page of names, in the order of their names. */
export interface NamePage {
  readonly names: readonly string[];
  /** Ask with it for the next page; undefined: this was the last. */
  readonly next: string | undefined;
}

/** Which player belongs to which group, as the backend made it. Held by a replica where there is one. */
export interface MembershipStore {
  /** @throws FanfareError LIMIT_EXCEEDED past `maxGroups` */
  add(
    appId: string,
    playerId: string,
    group: string,
    maxGroups: number,
  ): Promise<{ readonly changed: boolean; readonly version: number }>;
  remove(
    appId: string,
    playerId: string,
    group: string,
  ): Promise<{ readonly changed: boolean; readonly version: number }>;
  /** Begun after a change was answered, it has that change. */
  groupsOf(appId: string, playerId: string): Promise<PlayerMemberships>;
  /** @param after the last name of the page before; undefined: from the first */
  playersOf(appId: string, group: string, after: string | undefined, limit: number): Promise<NamePage>;
}
