/** Origins that are remembered for a channel, twice over. */
const generationSize = 1024;

/**
 * The last number seen of each origin in one channel, for volatile messages and others apart. Two generations bound it: when the
 * newer one is full, the older one, of origins that were silent all that time, is forgotten.
 */
export class SeenOrigins {
  #newer = new Map<bigint, number>();
  #older = new Map<bigint, number>();

  /** Whether a message is new, that is, its number higher than the last one of its origin. */
  isNew(origin: bigint, seq: number): boolean {
    const last = this.#newer.get(origin) ?? this.#older.get(origin) ?? 0;
    if (seq <= last) return false;
    if (this.#newer.size >= generationSize && !this.#newer.has(origin)) {
      this.#older = this.#newer;
      this.#newer = new Map();
    }
    this.#newer.set(origin, seq);
    return true;
  }
}
