import { describe, expect, it } from "vitest";
import { quantile, spreadOf } from "./statistics.ts";

describe("quantile", () => {
  it("interpolates between neighbours, whatever their order", () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(quantile([10, 2], 0.25)).toBe(4);
    expect(quantile([7], 0.99)).toBe(7);
  });

  it("throws at nothing", () => {
    expect(() => quantile([], 0.5)).toThrow(RangeError);
  });
});

describe("spreadOf", () => {
  it("gives the median and the range", () => {
    expect(spreadOf([3, 9, 1])).toEqual({ median: 3, min: 1, max: 9 });
  });
});
