/**
 * A table whose entries expire, with a bound. At the bound expired entries are thrown away; if there are none, a new entry is
 * refused, because forgetting an old one unasked would let somebody in again. Whoever knows better makes room before.
 */
export class ExpiringTable<Value> {
  readonly #entries = new Map<string, { value: Value; expiresAtMs: number }>();
  readonly #maxEntries: () => number;
  readonly #nowMs: () => number;
  /** No entry expires before this. */
  #earliestExpiryMs = Number.POSITIVE_INFINITY;

  /** @param maxEntries how many there may be now */
  constructor(maxEntries: () => number, nowMs: () => number) {
    this.#maxEntries = maxEntries;
    this.#nowMs = nowMs;
  }

  /** Sets an entry; false, and nothing is set, if the table is full. `expiresAtMs` may be infinite. */
  set(key: string, value: Value, expiresAtMs: number): boolean {
    if (!this.hasRoomFor(key)) this.#sweep();
    if (!this.hasRoomFor(key)) return false;
    this.#entries.delete(key); // the one that was set last stands last
    this.#entries.set(key, { value, expiresAtMs });
    this.#earliestExpiryMs = Math.min(this.#earliestExpiryMs, expiresAtMs);
    return true;
  }

  /** Whether an entry can be set without one that has expired being thrown away. */
  hasRoomFor(key: string): boolean {
    return this.#entries.has(key) || this.#entries.size < this.#maxEntries();
  }

  /** Removes the entry that was set the longest time ago. */
  deleteOldest(): void {
    for (const key of this.#entries.keys()) {
      this.#entries.delete(key);
      return;
    }
  }

  /** The value that has not expired. */
  get(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.expiresAtMs > this.#nowMs()) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  /** Removes an entry; tells whether there was one that had not expired. */
  delete(key: string): boolean {
    const existed = this.get(key) !== undefined;
    this.#entries.delete(key);
    return existed;
  }

  /** Entries, also expired ones that nobody has asked for. */
  get size(): number {
    return this.#entries.size;
  }

  #sweep(): void {
    const now = this.#nowMs();
    if (this.#earliestExpiryMs > now) return; // a full table of long entries is not searched for each refusal
    this.#earliestExpiryMs = Number.POSITIVE_INFINITY;
    for (const [key, { expiresAtMs }] of this.#entries) {
      if (expiresAtMs <= now) this.#entries.delete(key);
      else this.#earliestExpiryMs = Math.min(this.#earliestExpiryMs, expiresAtMs);
    }
  }
}
