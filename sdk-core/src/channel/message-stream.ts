import { FanfareError } from "../error.ts";
import { ErrorCode } from "../wire/schema.ts";
import { MessageQueue, type Queued, type QueueOptions, type Received } from "./message-queue.ts";

/** An async iterable of what is received, over a bounded queue. Ends with the channel, the signal, or `return`. */
export class MessageStream<T> implements AsyncIterableIterator<Received<T>> {
  /** @internal */
  readonly queue: MessageQueue<T>;
  readonly #onTaken: () => void;
  readonly #onEnd: () => void;
  #waiting: { resolve(result: IteratorResult<Received<T>>): void; reject(error: FanfareError): void }[] = [];
  #ended = false;
  #error: FanfareError | undefined;

  /** @internal */
  constructor(options: QueueOptions, onTaken: () => void, onEnd: () => void) {
    this.queue = new MessageQueue(options);
    this.#onTaken = onTaken;
    this.#onEnd = onEnd;
  }

  /** @internal */
  push(item: Received<T>): Queued {
    if (this.#ended) return "queued";
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      waiting.resolve({ done: false, value: item });
      return "queued";
    }
    const result = this.queue.push(item);
    if (result === "full")
      this.end(new FanfareError(ErrorCode.LIMIT_EXCEEDED, "the reader of this stream is too slow"));
    return result;
  }

  /** Ends it after what is queued; with an error, that is thrown then. @internal */
  end(error?: FanfareError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    this.#onEnd();
    for (const waiting of this.#waiting.splice(0)) {
      if (error === undefined) waiting.resolve({ done: true, value: undefined });
      else waiting.reject(error);
    }
  }

  /** The next message; waits for it. Rejects once with what ended the stream, if that was an error. */
  next(): Promise<IteratorResult<Received<T>>> {
    const value = this.queue.shift();
    if (value !== undefined) {
      this.#onTaken();
      return Promise.resolve({ done: false, value });
    }
    if (this.#ended) {
      const error = this.#error;
      this.#error = undefined;
      return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
    }
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Ends it and throws away what is queued. */
  return(): Promise<IteratorResult<Received<T>>> {
    this.queue.takeAll();
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
