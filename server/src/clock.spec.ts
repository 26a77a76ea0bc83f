import { afterEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "./clock.ts";

const hourMs = 3_600_000;

afterEach(() => void vi.useRealTimers());

describe("the machine's clock", () => {
  it("follows when it is set, forward and back", () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const beganMs = Date.now();
    for (const setMs of [beganMs + hourMs, beganMs - hourMs, beganMs]) {
      vi.setSystemTime(setMs);
      expect(Math.abs(systemClock.nowMs() - setMs)).toBeLessThan(100);
    }
  });

  it("tells fractions of a millisecond, which the system's does not", () => {
    const readings = Array.from({ length: 10 }, () => systemClock.nowMs());
    expect(readings.some((nowMs) => !Number.isInteger(nowMs))).toBe(true);
    expect(readings).toEqual(readings.toSorted((a, b) => a - b));
  });

  it("measures durations by one that is never set", () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const beforeMs = systemClock.monotonicMs();
    vi.setSystemTime(Date.now() - hourMs);
    systemClock.nowMs();
    const tookMs = systemClock.monotonicMs() - beforeMs;
    expect(tookMs).toBeGreaterThanOrEqual(0);
    expect(tookMs).toBeLessThan(hourMs);
  });
});
