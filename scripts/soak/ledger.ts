/** What went wrong in one stream, or in several added up. */
export interface Faults {
  lost: number;
  doubled: number;
  outOfOrder: number;
}

/** Holds one stream of messages, numbered from 1, to: each once, and in order. */
export class StreamLedger {
  #next = 1;
  #doubled = 0;
  #outOfOrder = 0;
  /** Numbers that came before a lower one. */
  readonly #ahead = new Set<number>();

  /** Different messages that have come. */
  get received(): number {
    return this.#next - 1 + this.#ahead.size;
  }

  take(number: number): void {
    if (number < this.#next || this.#ahead.has(number)) {
      this.#doubled++;
    } else if (number > this.#next) {
      this.#ahead.add(number);
    } else {
      // What fills a hole comes after messages that should have followed it.
      if (this.#ahead.size > 0) this.#outOfOrder++;
      do this.#next++;
      while (this.#ahead.delete(this.#next));
    }
  }

  /** What was wrong, if `published` messages were sent. */
  faults(published: number): Faults {
    return { lost: published - this.received, doubled: this.#doubled, outOfOrder: this.#outOfOrder };
  }
}
