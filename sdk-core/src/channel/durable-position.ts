import type { Position } from "../wire/schema.ts";

/** What to do with an entry: take it, drop it, because it was had before, or because the log is torn, or read the log anew. */
export type Succession = "take" | "drop" | "resync";

/** The position in a durable channel's log up to which everything was received. On live channels it takes everything. */
export class DurablePosition {
  #current: Position | undefined;
  #torn = false;

  /** Undefined on live channels. */
  get current(): Position | undefined {
    return this.#current;
  }

  /** Goes on from here. */
  start(position: Position | undefined): void {
    this.#current = position;
    this.#torn = false;
  }

  /** Moves over the entries `from` to `to`, if they are next. After `resync` everything is dropped until the next `start`. */
  advance(from: number, to: number, tag: number, previousTag: number): Succession {
    if (this.#current === undefined) return "take";
    const { epoch, offset, tag: lastTag } = this.#current;
    if (this.#torn || to <= offset) return "drop";
    // A skip may begin before the position; where it does, there is no tag to compare.
    const joins = from <= offset || (from === offset + 1 && previousTag === lastTag);
    this.#torn = !joins;
    if (joins) this.#current = { epoch, offset: to, tag };
    return joins ? "take" : "resync";
  }
}
