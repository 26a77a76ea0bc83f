/** What a reader of an {@link EventQueue} gets: an item, or how many items it was too slow for. */
export type Queued<T> = { readonly item: T } | { readonly missed: number };

/**
 * A bounded queue for one reader. When it is full, what comes is counted and thrown away until the reader has taken everything; then it is
 * told the count, and gets what comes from then on.
 */
export class EventQueue<T extends object> implements AsyncIterable<Queued<T>> {
  readonly #capacity: number;
  readonly #items: T[] = [];
  #missed = 0;
  #ended = false;
  #failure: Error | undefined;
  #isWoken = false;
  #wake: (() => void) | undefined;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  push(item: T): void {
    if (this.#ended) return;
    if (this.#missed > 0 || this.#items.length >= this.#capacity) this.#missed++;
    else this.#items.push(item);
    this.#wake?.();
  }

  /** Gives the reader `{ missed: 0 }` if nothing else is there for it, so that it looks around. */
  wake(): void {
    this.#isWoken = true;
    this.#wake?.();
  }

  /** Nothing comes any more; the reader still gets what is queued. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** The reader gets this instead of all that is queued, and nothing more. */
  fail(reason: Error): void {
    this.#failure ??= reason;
    this.end();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Queued<T>> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const item = this.#items.shift();
      if (item !== undefined) {
        yield { item };
      } else if (this.#missed > 0) {
        const missed = this.#missed;
        this.#missed = 0;
        yield { missed };
      } else if (this.#ended) {
        return;
      } else if (this.#isWoken) {
        this.#isWoken = false;
        yield { missed: 0 };
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    }
  }
}
