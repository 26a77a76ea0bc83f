import type { Position } from "../wire/schema.ts";

/** What the next entry of a log is to a receiver: the one expected, one it has had, or one behind a hole or of a forked log. */
export type Succession = "next" | "old" | "hole" | "fork";

/** The position in a durable channel's log up to which everything was received. */
export class DurablePosition {
  /** Undefined on live channels. */
  current: Position | undefined;

  /** Moves over the entries `from` to `to`, if they are next. */
  advance(from: number, to: number, tag: number, previousTag: number): Succession {
    if (this.current === undefined) return "next";
    const { epoch, offset, tag: lastTag } = this.current;
    if (to <= offset) return "old";
    if (from !== offset + 1) return "hole";
    if (previousTag !== lastTag) return "fork";
    this.current = { epoch, offset: to, tag };
    return "next";
  }
}
