import type { Position } from "../wire/schema.ts";

/**
 * What to do with an entry: take it; drop it, because it was had before or everything is; `hold`, because there is no room for it; or
 * `resync`, because it does not follow. After the last two everything is dropped until the log is read anew.
 */
export type Succession = "take" | "drop" | "hold" | "resync";

/** The position in a durable channel's log up to which everything was received. On live channels it takes everything. */
export class DurablePosition {
  #current: Position | undefined;
  #stopped = false;

  /** Undefined on live channels. */
  get current(): Position | undefined {
    return this.#current;
  }

  /** Everything is dropped until the next `start`. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Goes on from here. */
  start(position: Position | undefined): void {
    this.#current = position;
    this.#stopped = false;
  }

  /** Takes nothing until the next `start`. */
  stop(): void {
    this.#stopped = true;
  }

  /** Moves over the entries `from` to `to`, if they are next and there is room for them. */
  advance(from: number, to: number, tag: number, previousTag: number, full = false): Succession {
    if (this.#current === undefined) return "take";
    const { epoch, offset, tag: lastTag } = this.#current;
    if (this.#stopped || to <= offset) return "drop";
    // A skip may begin before the position; where it does, there is no tag to compare.
    const joins = from <= offset || (from === offset + 1 && previousTag === lastTag);
    this.#stopped = !joins || full;
    if (!joins) return "resync";
    if (full) return "hold";
    this.#current = { epoch, offset: to, tag };
    return "take";
  }
}
