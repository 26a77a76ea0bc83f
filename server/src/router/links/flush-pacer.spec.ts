import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { FlushPacer } from "./flush-pacer.ts";

function setUp(maxLingerMs = 2) {
  const clock = new VirtualClock();
  const pacer = new FlushPacer(clock, maxLingerMs);
  const flushedMs: number[] = [];
  const one = {
    flush: (nowMs: number) => {
      flushedMs.push(nowMs);
      pacer.charge(nowMs);
    },
  };
  return { clock, pacer, one, flushedMs };
}

describe("FlushPacer", () => {
  it("flushes at the end of the turn, once, and leaves no timer", () => {
    const { clock, pacer, one, flushedMs } = setUp();
    for (let i = 0; i < 3; i++) pacer.add(one);
    expect(flushedMs).toEqual([]);
    clock.turn();
    expect(flushedMs).toEqual([0]);
    clock.advance(100);
    expect(flushedMs).toEqual([0]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("lets publishes wait for each other under load, for no longer than the bound", () => {
    for (const maxLingerMs of [2, 5]) {
      const { clock, pacer, one, flushedMs } = setUp(maxLingerMs);
      let worstMs = 0;
      for (let atMs = 0; atMs < 1_000; atMs += 0.1) {
        const before = flushedMs.length;
        pacer.add(one);
        const addedMs = clock.monotonicMs();
        clock.advance(0.1);
        if (flushedMs.length > before) worstMs = Math.max(worstMs, (flushedMs.at(-1) ?? 0) - addedMs);
      }
      expect(worstMs).toBeLessThanOrEqual(maxLingerMs);
      expect(flushedMs.length).toBeLessThan(2_600);
      expect(flushedMs.length).toBeGreaterThan(500);
    }
  });

  it("does not let a seldom one wait, however many there were before", () => {
    const { clock, pacer, one, flushedMs } = setUp();
    for (let i = 0; i < 10_000; i++) pacer.charge(0);
    clock.advance(10);
    pacer.add(one);
    clock.turn();
    expect(flushedMs).toEqual([10]);
  });
});
