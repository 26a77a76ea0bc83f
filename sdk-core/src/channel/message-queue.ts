import type { MessageMeta } from "./message-meta.ts";

/** What a queue does with a message that is not volatile when it is full of such. */
export type Overflow = "wait" | "drop" | "throw";

/** Bounds of a queue between the socket and a reader. */
export interface QueueOptions {
  /** Messages that may wait to be read. Default: 1024. */
  maxQueued?: number | undefined;
  /**
   * What happens when the queue is full. Volatile messages are dropped first, oldest first, without a word. When there are none:
   * `drop` drops the oldest message, and the channel tells `gap` with the reason `overflow`; `throw` ends the reader with LIMIT_EXCEEDED
   * after what was queued; `wait` is for durable channels, and lets the whole channel wait until there is room and then go on from its
   * log, so that nothing is lost. Default: `wait` in durable channels, `drop` in live ones.
   */
  overflow?: Overflow | undefined;
}

/** A value as it was received. */
export interface Received<T> {
  /** What was sent. */
  readonly value: T;
  /** What else is known of the message. */
  readonly meta: MessageMeta;
}

/** What became of a message that was put into a queue. */
export type Queued = "queued" | "dropped" | "full";

/** A bounded queue that drops volatile messages before others. */
export class MessageQueue<T> {
  readonly #maxQueued: number;
  readonly #overflow: Overflow;
  #items: Received<T>[] = [];
  /** Index of the first item that was not taken. */
  #head = 0;
  #volatile = 0;

  constructor({ maxQueued = 1024, overflow = "wait" }: QueueOptions) {
    this.#maxQueued = Math.max(1, maxQueued);
    this.#overflow = overflow;
  }

  get size(): number {
    return this.#items.length - this.#head;
  }

  /** A durable channel has to wait. */
  get blocks(): boolean {
    return this.#overflow === "wait" && this.size >= this.#maxQueued;
  }

  get oldest(): Received<T> | undefined {
    return this.#items[this.#head];
  }

  /** `dropped`: a message that is not volatile had to go. `full`: it was this one, because the queue is to end. */
  push(item: Received<T>): Queued {
    let result: Queued = "queued";
    if (this.size >= this.#maxQueued) {
      if (this.#volatile > 0) {
        const oldest = this.#items.findIndex((other, i) => i >= this.#head && other.meta.volatile);
        this.#items.splice(oldest, 1);
        this.#volatile--;
      } else if (item.meta.volatile) {
        return result; // nothing older may go in its place
      } else if (this.#overflow === "throw") {
        return "full";
      } else {
        this.shift();
        result = "dropped";
      }
    }
    if (item.meta.volatile) this.#volatile++;
    this.#items.push(item);
    return result;
  }

  shift(): Received<T> | undefined {
    const item = this.oldest;
    if (item === undefined) return undefined;
    this.#items[this.#head] = undefined as unknown as Received<T>;
    this.#head++;
    if (item.meta.volatile) this.#volatile--;
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  takeAll(): Received<T>[] {
    const items = this.#items.slice(this.#head);
    this.#items = [];
    this.#head = 0;
    this.#volatile = 0;
    return items;
  }
}
