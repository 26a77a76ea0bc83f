import type { LogPosition } from "./log-position.ts";

/** What may wait in a durable channel beside the queues of its readers: messages, and the characters or bytes of their payloads. */
const maxCount = 1024;
const maxLength = 1024 * 1024;

interface Item {
  readonly before: LogPosition;
  readonly length: number;
  give(): void;
}

/**
 * What a durable channel has received while nobody listened, or while a reader's queue was full. At its bound the channel takes no more,
 * and goes on from the log when half of it is gone: so a slow reader loses nothing, and memory is bounded.
 */
export class Backlog {
  readonly #items: Item[] = [];
  #length = 0;
  #flushing = false;

  get size(): number {
    return this.#items.length;
  }

  get full(): boolean {
    return this.size >= maxCount || this.#length >= maxLength;
  }

  /** Room enough to read the log anew. */
  get halfEmpty(): boolean {
    return this.size <= maxCount / 2 && this.#length <= maxLength / 2;
  }

  /** The position before everything that waits. */
  get before(): LogPosition | undefined {
    return this.#items[0]?.before;
  }

  /** `length`: of the payload. */
  push(before: LogPosition, length: number, give: () => void): void {
    this.#length += length;
    this.#items.push({ before, length, give });
  }

  /** Gives out, in order, as long as there is room. Whoever is given something may make room: the next follows when all have this one. */
  flush(hasRoom: () => boolean): void {
    if (this.#flushing) return;
    this.#flushing = true;
    while (this.size > 0 && hasRoom()) {
      const { length, give } = this.#items.shift() as Item;
      this.#length -= length;
      give();
    }
    this.#flushing = false;
  }
}
