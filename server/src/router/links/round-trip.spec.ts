import { describe, expect, it } from "vitest";
import { RoundTrip } from "./round-trip.ts";

describe("RoundTrip", () => {
  it("stays within its bounds", () => {
    const trip = new RoundTrip(100, 1_000);
    expect(trip.timeoutMs).toBe(100);
    for (let i = 0; i < 50; i++) trip.measured(2);
    expect(trip.timeoutMs).toBe(100);
    for (let i = 0; i < 50; i++) trip.measured(5_000);
    expect(trip.timeoutMs).toBe(1_000);
  });

  it("adapts to a slow peer, and to one that varies", () => {
    const steady = new RoundTrip(10, 10_000);
    const varying = new RoundTrip(10, 10_000);
    for (let i = 0; i < 200; i++) {
      steady.measured(200);
      varying.measured(i % 2 === 0 ? 100 : 300);
    }
    expect(steady.timeoutMs).toBeGreaterThanOrEqual(200);
    expect(steady.timeoutMs).toBeLessThan(220);
    expect(varying.timeoutMs).toBeGreaterThan(400);
  });

  it("doubles with each time-out, up to its bound, until something is acknowledged", () => {
    const trip = new RoundTrip(100, 1_000);
    const seen = Array.from({ length: 20 }, () => {
      trip.timedOut();
      return trip.timeoutMs;
    });
    expect(seen.slice(0, 5)).toEqual([200, 400, 800, 1_000, 1_000]);
    expect(seen.at(-1)).toBe(1_000);
    trip.progressed();
    expect(trip.timeoutMs).toBe(100);
  });
});
