/** What became of the first call under a key: known, or still under way. */
export type FirstResult<T> = T | Promise<T>;

/**
 * Remembers the results of calls under their idempotency keys. Bounded: at `maxEntries` the oldest is forgotten, and after `keepMs` each;
 * a repeat that comes later is a new call.
 */
export class IdempotencyTable<T> {
  readonly #entries = new Map<string, { result: FirstResult<T>; untilMs: number }>();
  readonly #keepMs: number;
  readonly #maxEntries: number;
  readonly #monotonicMs: () => number;

  constructor(keepMs: number, maxEntries: number, monotonicMs: () => number) {
    this.#keepMs = keepMs;
    this.#maxEntries = maxEntries;
    this.#monotonicMs = monotonicMs;
  }

  /** What became of the first call under this key; undefined if there was none, or it is forgotten. */
  get(key: string): FirstResult<T> | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && entry.untilMs > this.#monotonicMs() ? entry.result : undefined;
  }

  /** Remembers the first call. Entries stand in the order of their end, because all are kept equally long. */
  set(key: string, result: FirstResult<T>): void {
    const nowMs = this.#monotonicMs();
    this.#entries.delete(key);
    for (const [oldest, { untilMs }] of this.#entries) {
      if (untilMs > nowMs && this.#entries.size < this.#maxEntries) break;
      this.#entries.delete(oldest);
    }
    this.#entries.set(key, { result, untilMs: nowMs + this.#keepMs });
  }

  /** Forgets a call that came to nothing, so that a repeat tries again. */
  delete(key: string): void {
    this.#entries.delete(key);
  }

  get size(): number {
    return this.#entries.size;
  }
}
