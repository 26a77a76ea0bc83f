import type { Clock, Timer } from "../clock.ts";

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** A clock that stands still until a test moves it. Timers and deferred calls run inside `advance`, in the order of their times. */
export class VirtualClock implements Clock {
  /** Added at every reading of the monotonic clock, in milliseconds: code that reads the clock takes time. */
  costOfReadingMs = 0;
  #epochMs: number;
  readonly #timers = new Set<Entry>();
  #deferred: (() => void)[] = [];
  #atMs = 0;
  #order = 0;

  constructor(epochMs = 1_700_000_000_000) {
    this.#epochMs = epochMs;
  }

  nowMs(): number {
    return this.#epochMs + this.#atMs;
  }

  /** Somebody sets the wall clock; timers and the monotonic clock go on. */
  set(nowMs: number): void {
    this.#epochMs = nowMs - this.#atMs;
  }

  monotonicMs(): number {
    this.#atMs += this.costOfReadingMs;
    return this.#atMs;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const entry = { atMs: this.#atMs + Math.max(0, delayMs), order: this.#order++, callback };
    this.#timers.add(entry);
    return { cancel: () => void this.#timers.delete(entry) };
  }

  defer(callback: () => void): void {
    this.#deferred.push(callback);
  }

  /** Timers that have not run yet. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Deferred calls that have not run yet. */
  get pendingTurns(): number {
    return this.#deferred.length;
  }

  /** Moves time forward and runs what falls due on the way; deferred calls run before the next timer. */
  advance(ms: number): void {
    const untilMs = this.#atMs + ms;
    this.#runDeferred();
    for (let next = this.#due(untilMs); next !== undefined; next = this.#due(untilMs)) {
      this.#timers.delete(next);
      this.#atMs = Math.max(this.#atMs, next.atMs);
      next.callback();
      this.#runDeferred();
    }
    this.#atMs = Math.max(this.#atMs, untilMs);
  }

  /** Ends a turn of the event loop: runs what was deferred in it, and not what that defers in turn. */
  turn(): void {
    const callbacks = this.#deferred;
    this.#deferred = [];
    for (const callback of callbacks) callback();
  }

  /** The process stands still: time passes and nothing runs. */
  stall(ms: number): void {
    this.#atMs += ms;
  }

  /** Runs the timers that are due, and nothing that was deferred. */
  runTimers(): void {
    for (let next = this.#due(this.#atMs); next !== undefined; next = this.#due(this.#atMs)) {
      this.#timers.delete(next);
      next.callback();
    }
  }

  #due(untilMs: number): Entry | undefined {
    let first: Entry | undefined;
    for (const entry of this.#timers) {
      if (entry.atMs > untilMs) continue;
      if (first === undefined || entry.atMs < first.atMs || (entry.atMs === first.atMs && entry.order < first.order))
        first = entry;
    }
    return first;
  }

  #runDeferred(): void {
    for (let turns = 0; this.#deferred.length > 0; turns++) {
      if (turns === 10_000) throw new Error("deferred calls defer each other without end");
      this.turn();
    }
  }
}
