import type { LogPosition } from "./log-position.ts";

/** What may wait in a durable channel beside the queues of its readers. */
const maxWaiting = 1024;

interface Item {
  readonly before: LogPosition;
  give(): void;
}

/**
 * What a durable channel has received while nobody listened, or while a reader's queue was full. At its bound the channel takes no more,
 * and goes on from the log when half of it is gone: so a slow reader loses nothing, and memory is bounded.
 */
export class Backlog {
  readonly #items: Item[] = [];

  get size(): number {
    return this.#items.length;
  }

  get full(): boolean {
    return this.size >= maxWaiting;
  }

  /** Room enough to read the log anew. */
  get halfEmpty(): boolean {
    return this.size <= maxWaiting / 2;
  }

  /** The position before everything that waits. */
  get before(): LogPosition | undefined {
    return this.#items[0]?.before;
  }

  push(before: LogPosition, give: () => void): void {
    this.#items.push({ before, give });
  }

  /** Gives out, in order, as long as there is room. */
  flush(hasRoom: () => boolean): void {
    while (this.size > 0 && hasRoom()) this.#items.shift()?.give();
  }
}
