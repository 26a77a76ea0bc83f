/** What a batch is, by its number: in its turn, seen before, ahead of one that is missing, or too far ahead to be kept. */
export type Arrival = "next" | "duplicate" | "early" | "too_early";

/** Numbers that are asked for at once. */
const maxMissing = 64;

/** Puts numbered things into their order, each once. */
export class ReceiveWindow<T> {
  readonly #maxAhead: number;
  readonly #early = new Map<number, T>();
  #next = 1;
  #highest = 0;

  /** @param maxAhead how far a number may be ahead of the next one */
  constructor(maxAhead: number) {
    this.#maxAhead = maxAhead;
  }

  /** Every number up to this one has arrived. */
  get acknowledged(): number {
    return this.#next - 1;
  }

  /** Something has arrived while an earlier one is missing. */
  get hasGap(): boolean {
    return this.#early.size > 0;
  }

  /** Takes a number in. `next`: the caller handles it, and then takes what `takeNext` gives. */
  arrive(number: number, value: T): Arrival {
    if (number < this.#next || this.#early.has(number)) return "duplicate";
    if (number === this.#next) {
      this.#next++;
      return "next";
    }
    if (number > this.#next + this.#maxAhead) return "too_early";
    this.#early.set(number, value);
    this.#highest = Math.max(this.#highest, number);
    return "early";
  }

  /** What was early and is in its turn now. */
  takeNext(): T | undefined {
    const value = this.#early.get(this.#next);
    if (value === undefined) return undefined;
    this.#early.delete(this.#next);
    this.#next++;
    return value;
  }

  /** Numbers that are missing before others that have arrived, the lowest first, 64 at most. */
  missing(): number[] {
    const missing: number[] = [];
    if (!this.hasGap) return missing;
    for (let number = this.#next; number < this.#highest && missing.length < maxMissing; number++) {
      if (!this.#early.has(number)) missing.push(number);
    }
    return missing;
  }
}
