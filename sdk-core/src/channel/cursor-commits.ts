import type { Clock } from "../ports.ts";
import type { LogPosition } from "./log-position.ts";

/** Least time between two requests, in milliseconds; servers write a cursor no more often. */
const intervalMs = 1000;

/** Commits of one channel's cursor: the first goes out at once, of those that follow within a second the newest. */
export class CursorCommits {
  readonly #clock: Clock;
  readonly #send: (position: LogPosition) => Promise<LogPosition>;
  /** What the next request commits. */
  #wanted: LogPosition | undefined;
  #next: Promise<LogPosition> | undefined;
  #answer: (cursor: Promise<LogPosition>) => void = () => {};
  #timer: unknown;
  #over = false;

  constructor(clock: Clock, send: (position: LogPosition) => Promise<LogPosition>) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Resolves with the cursor as it stands when this position, or a newer one, is stored. */
  commit(position: LogPosition): Promise<LogPosition> {
    const { epoch, offset } = this.#wanted ?? {};
    if (offset === undefined || epoch !== position.epoch || offset < position.offset) this.#wanted = position;
    this.#next ??= new Promise((resolve) => {
      this.#answer = resolve;
    });
    const stored = this.#next;
    this.#pump();
    return stored;
  }

  /** Sends what waits. */
  end(): void {
    this.#over = true;
    this.#clock.clearTimer(this.#timer);
    this.#timer = undefined;
    this.#pump();
  }

  #pump(): void {
    if (this.#wanted === undefined || this.#timer !== undefined) return;
    this.#answer(this.#send(this.#wanted));
    this.#wanted = undefined;
    this.#next = undefined;
    if (this.#over) return;
    this.#timer = this.#clock.setTimer(intervalMs, () => {
      this.#timer = undefined;
      this.#pump();
    });
  }
}
