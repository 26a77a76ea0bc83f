import type { Payload } from "../payload.ts";
import type { MessageMeta } from "./message-meta.ts";

/** A message that came before anybody listened. */
export interface EarlyMessage {
  readonly payload: Payload;
  readonly meta: MessageMeta;
  readonly atMs: number;
}

/** Messages and characters or bytes that wait at once, and how long one waits, in milliseconds. */
const maxCount = 1024;
const maxLength = 1024 * 1024;
const maxAgeMs = 10_000;

/**
 * What a channel brings before the program listens to it for the first time: the messages that come in the same breath as the answer to
 * `join`, or while the program awaits something else before it adds its callback. Bounded in count, length and age; the oldest go first.
 */
export class EarlyMessages {
  readonly #messages: EarlyMessage[] = [];
  #length = 0;
  /** Messages that did not fit. Those that only grew too old are not counted: nobody listened. */
  lost = 0;

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  add(message: EarlyMessage): void {
    this.#messages.push(message);
    this.#length += lengthOf(message);
    while (this.#messages.length > maxCount || (this.#length > maxLength && this.#messages.length > 1)) {
      this.#shift();
      this.lost++;
    }
    this.#forget(message.atMs);
  }

  /** Everything that is not too old, at the end. */
  takeAll(nowMs: number): readonly EarlyMessage[] {
    this.#forget(nowMs);
    return this.#messages;
  }

  #forget(nowMs: number): void {
    let oldest = this.#messages[0];
    while (oldest !== undefined && nowMs - oldest.atMs > maxAgeMs) {
      this.#shift();
      this.lost = 0; // what did not fit was older still
      oldest = this.#messages[0];
    }
  }

  #shift(): void {
    const first = this.#messages.shift();
    if (first !== undefined) this.#length -= lengthOf(first);
  }
}

function lengthOf({ payload }: EarlyMessage): number {
  const { binary, text, json } = payload;
  return (binary ?? text ?? json)?.length ?? 0;
}
