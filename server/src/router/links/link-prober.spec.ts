import { describe, expect, it } from "vitest";
import { LinkProber } from "./link-prober.ts";

describe("LinkProber", () => {
  it("asks in intervals that grow to a bound, jittered", () => {
    for (const [random, first, last] of [
      [0, 100, 250],
      [1, 200, 500],
    ] as const) {
      const prober = new LinkProber(200, 500, () => random);
      expect(prober.dueMs).toBe(Number.POSITIVE_INFINITY);
      prober.start(1_000, 0);
      expect(prober.dueMs).toBe(1_000);
      const intervals = Array.from({ length: 6 }, () => {
        const nowMs = prober.dueMs;
        prober.asked(nowMs);
        return prober.dueMs - nowMs;
      });
      expect(intervals[0]).toBe(first);
      expect(intervals.at(-1)).toBe(last);
    }
  });

  it("can be hurried, but not begun by it", () => {
    const prober = new LinkProber(200, 500, () => 1);
    prober.hurry(0, 10);
    expect(prober.isRunning).toBe(false);
    prober.start(0, 100);
    prober.hurry(0, 10);
    expect(prober.dueMs).toBe(10);
    prober.hurry(0, 50);
    expect(prober.dueMs).toBe(10);
    prober.stop();
    expect(prober.isRunning).toBe(false);
  });

  it("knows the lanes of its last questions, and none that were never asked or before it was stopped", () => {
    const prober = new LinkProber(200, 500, () => 1);
    const tokens = Array.from({ length: 40 }, (_, lane) => prober.token(lane));
    expect(prober.laneOf(tokens[39] ?? 0)).toBe(39);
    expect(prober.laneOf(tokens[0] ?? 0)).toBeUndefined();
    expect(prober.laneOf(99)).toBeUndefined();
    prober.stop();
    expect(prober.laneOf(tokens[39] ?? 0)).toBeUndefined();
    expect(prober.token(1)).toBe(41);
  });
});
