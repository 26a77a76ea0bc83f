/** Which players are members of which groups, by the backend's word. */
export class Members {
  readonly #groups = new Map<string, Set<string>>();

  has(group: string, player: string): boolean {
    return this.#groups.get(group)?.has(player) ?? false;
  }

  groupsOf(player: string): string[] {
    return [...this.#groups].filter(([, players]) => players.has(player)).map(([group]) => group);
  }

  /** Returns whether the player was none before. */
  add(group: string, player: string): boolean {
    const players = this.#groups.get(group) ?? new Set();
    if (players.has(player)) return false;
    this.#groups.set(group, players.add(player));
    return true;
  }

  /** Returns whether the player was one. */
  remove(group: string, player: string): boolean {
    return this.#groups.get(group)?.delete(player) ?? false;
  }
}
