/** A member of a sorted set. */
export interface Member {
  readonly score: number;
  readonly name: string;
}

/** The value of a key that is a sorted set. Small ones only: adding costs as much as there are members. */
export class SortedSet {
  readonly #scores = new Map<string, number>();
  /** By score, and by name where the scores are the same. */
  members: Member[] = [];

  get size(): number {
    return this.#scores.size;
  }

  scoreOf(name: string): number | undefined {
    return this.#scores.get(name);
  }

  /** @returns whether it is new */
  add(name: string, score: number): boolean {
    const isNew = !this.remove(name);
    this.#scores.set(name, score);
    const index = this.members.findIndex(
      (other) => other.score > score || (other.score === score && other.name > name),
    );
    this.members.splice(index < 0 ? this.members.length : index, 0, { score, name });
    return isNew;
  }

  /** @returns whether it was there */
  remove(name: string): boolean {
    if (!this.#scores.delete(name)) return false;
    this.members = this.members.filter((member) => member.name !== name);
    return true;
  }

  clone(): SortedSet {
    const copy = new SortedSet();
    for (const [name, score] of this.#scores) copy.#scores.set(name, score);
    copy.members = [...this.members];
    return copy;
  }
}
