import { create } from "@bufbuild/protobuf";
import { type LogEntry, type Position, PositionSchema, type Skip } from "@fanfare/proto/v1";
import type { ClientBreaks } from "../mutants/client-mutants.ts";

/** What becomes of an entry: taken, had already, or a reason to ask for everything after the position again. */
export type EntryFate = "take" | "drop" | "resync";

/** The position in a durable channel's log: section 12.1 of the protocol. */
export class LogPosition {
  current: Position;
  /** Nothing is taken until the channel is subscribed again. */
  stopped = false;
  /** The last one that was received, taken or not. */
  received: Position;
  /** Some entry was taken. */
  moved = false;
  readonly #breaks: ClientBreaks;

  constructor(position: Position, breaks: ClientBreaks) {
    this.current = position;
    this.received = position;
    this.#breaks = breaks;
  }

  entry({ offset, tag, previousTag }: LogEntry): EntryFate {
    if (offset > this.received.offset) this.received = create(PositionSchema, { ...this.current, offset, tag });
    if (this.stopped && !this.#breaks.has("takes-while-resynchronising")) return "drop";
    if (offset <= this.current.offset) return this.#breaks.has("old-offsets-taken") ? "take" : "drop";
    const follows = previousTag === this.current.tag || this.#breaks.has("forks-taken");
    const isNext = offset === this.current.offset + 1n || this.#breaks.has("holes-taken");
    if (!follows && !this.#breaks.has("holes-taken")) return this.#stop();
    if (!isNext) return this.#stop();
    this.#move(offset, tag);
    return "take";
  }

  skip({ fromOffset, toOffset, tag, previousTag }: Skip): EntryFate {
    if (this.stopped || this.#breaks.has("skips-ignored")) return "drop";
    const { offset } = this.current;
    if (toOffset <= offset) {
      if (this.#breaks.has("old-skips-move-back")) this.#move(toOffset, tag);
      return "drop";
    }
    const joins = fromOffset <= offset || (fromOffset === offset + 1n && previousTag === this.current.tag);
    if (!joins && !this.#breaks.has("skips-unchecked")) return this.#stop();
    this.#move(toOffset, tag);
    return "take";
  }

  #stop(): EntryFate {
    this.stopped = true;
    return "resync";
  }

  #move(offset: bigint, tag: number): void {
    this.current = create(PositionSchema, { ...this.current, offset, tag });
    this.moved = true;
  }
}
