import { describe, expect, it } from "vitest";
import type { Clock } from "../clock.ts";
import { FlushScheduler } from "./flush-scheduler.ts";

/** A clock that stands still until something takes time or a timer is waited for. */
class StillClock implements Clock {
  timeMs = 0;
  /** Delay of the timer that is set; undefined: none. */
  waitsMs: number | undefined;
  #next: (() => void) | undefined;

  nowMs(): number {
    return this.timeMs;
  }

  monotonicMs(): number {
    return this.timeMs;
  }

  setTimer(delayMs: number, callback: () => void): { cancel: () => void } {
    this.waitsMs = delayMs;
    this.#next = callback;
    return { cancel: () => {} };
  }

  defer(callback: () => void): void {
    this.#next = callback;
  }

  /** Ends the turn: what was deferred happens, or the timer is waited for. False: nothing was to come. */
  turn(): boolean {
    const next = this.#next;
    this.#next = undefined;
    this.timeMs += this.waitsMs ?? 0;
    this.waitsMs = undefined;
    next?.();
    return next !== undefined;
  }
}

/** Something whose flush takes that long. */
function flushable(clock: StillClock, costMs: number, log: string[], name: string) {
  return {
    flush: () => {
      clock.timeMs += costMs;
      log.push(name);
    },
  };
}

describe("FlushScheduler", () => {
  it("flushes everything at the end of the turn when nothing was flushed before", () => {
    const clock = new StillClock();
    const log: string[] = [];
    const scheduler = new FlushScheduler(clock, 5);
    scheduler.add(flushable(clock, 0, log, "a"));
    scheduler.add(flushable(clock, 0, log, "b"));
    expect(log).toEqual([]);
    expect(clock.waitsMs).toBeUndefined();
    clock.turn();
    expect(log).toEqual(["a", "b"]);
  });

  it("waits longer the more flushing costs, and never longer than the bound", () => {
    const waits = [1, 100].map((costMs) => {
      const clock = new StillClock();
      const scheduler = new FlushScheduler(clock, 5);
      scheduler.add(flushable(clock, costMs, [], "first"));
      clock.turn();
      scheduler.add(flushable(clock, costMs, [], "second"));
      return clock.waitsMs;
    });
    expect(waits).toEqual([2.5, 5]); // ten times a quarter of a millisecond: the first flush counts a quarter
  });

  it("does not wait where a timer could only wait too long", () => {
    const clock = new StillClock();
    const log: string[] = [];
    const scheduler = new FlushScheduler(clock, 5);
    scheduler.add(flushable(clock, 0.3, log, "first"));
    clock.turn();
    scheduler.add(flushable(clock, 0.3, log, "second"));
    expect(clock.waitsMs).toBeUndefined();
    clock.turn();
    expect(log).toEqual(["first", "second"]);
  });

  it("does not wait after a rest", () => {
    const clock = new StillClock();
    const scheduler = new FlushScheduler(clock, 5);
    scheduler.add(flushable(clock, 10, [], "first"));
    clock.turn();
    clock.timeMs += 5;
    scheduler.add(flushable(clock, 10, [], "second"));
    expect(clock.waitsMs).toBeUndefined();
  });

  it("cuts a long flush into slices and misses nobody who comes meanwhile", () => {
    const clock = new StillClock();
    const log: string[] = [];
    const scheduler = new FlushScheduler(clock, 5);
    for (let i = 0; i < 200; i++) scheduler.add(flushable(clock, 0.1, log, String(i)));
    clock.turn();
    expect(log).toHaveLength(63); // the clock is read before the 64th, after 6.3 ms
    scheduler.add(flushable(clock, 0, log, "late"));
    while (clock.turn());
    expect(log).toEqual([...Array.from({ length: 200 }, (_, i) => String(i)), "late"]);
  });
});
