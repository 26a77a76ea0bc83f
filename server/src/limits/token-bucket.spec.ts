import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TokenBucket } from "./token-bucket.ts";

describe("TokenBucket", () => {
  it("gives the burst at once, then the rate", () => {
    const bucket = new TokenBucket(10, 3, 0);
    expect([0, 0, 0, 0].map((nowMs) => bucket.take(nowMs))).toEqual([true, true, true, false]);
    expect(bucket.waitMs(0)).toBe(100);
    expect(bucket.take(99)).toBe(false);
    expect(bucket.take(100)).toBe(true);
    expect(bucket.take(100_000, 3)).toBe(true);
    expect(bucket.take(100_000)).toBe(false);
  });

  it("charges into debt, of at most one burst more, and is out of it in time", () => {
    const bucket = new TokenBucket(10, 10, 0);
    expect(bucket.charge(0, 15)).toBe(-5);
    expect(bucket.waitMs(0)).toBe(600);
    expect(bucket.charge(0, 1_000_000)).toBe(-20);
    expect(bucket.charge(2_000, 0)).toBe(0);
    expect(bucket.waitMs(2_000)).toBe(100);
  });

  it("takes nothing when there is too little, and does not go back in time", () => {
    const bucket = new TokenBucket(10, 10, 1_000);
    expect(bucket.take(1_000, 11)).toBe(false);
    expect(bucket.take(0, 10)).toBe(true);
    expect(bucket.take(500)).toBe(false);
    expect(bucket.take(1_100)).toBe(true);
  });

  it("admits after waitMs, and never more than burst and rate allow", () => {
    const steps = fc.array(fc.record({ afterMs: fc.nat(500), count: fc.integer({ min: 1, max: 5 }) }), {
      maxLength: 100,
    });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 5, max: 50 }),
        steps,
        (rate, burst, sequence) => {
          const bucket = new TokenBucket(rate, burst, 0);
          let nowMs = 0;
          let taken = 0;
          for (const { afterMs, count } of sequence) {
            nowMs += afterMs;
            if (!bucket.take(nowMs, count)) {
              const waitMs = bucket.waitMs(nowMs, count);
              expect(waitMs).toBeGreaterThan(0);
              nowMs += waitMs + 1e-6;
              expect(bucket.take(nowMs, count)).toBe(true);
            }
            taken += count;
            expect(taken).toBeLessThanOrEqual(burst + (nowMs * rate) / 1000 + 1e-6);
          }
        },
      ),
      { seed: 1 },
    );
  });
});
