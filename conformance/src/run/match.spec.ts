import type { JsonObject } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { mismatch } from "./match.ts";

describe("mismatch", () => {
  it("takes a pattern for partial in objects and for complete in lists", () => {
    expect(mismatch({ a: 1 }, { a: 1, b: 2 })).toBeUndefined();
    expect(mismatch({ a: [1] }, { a: [1, 2] })).toContain("2 elements instead of 1");
    expect(mismatch({ a: { b: 1 } }, { a: { b: 2 } })).toBe("a.b is 2, and has to be 1");
  });

  it("takes null, and $absent, for a default or nothing", () => {
    const absents: JsonObject[] = [
      {},
      { a: "" },
      { a: 0 },
      { a: "0" },
      { a: false },
      { a: [] },
      { a: "OUTCOME_UNSPECIFIED" },
    ];
    for (const absent of absents) {
      expect(mismatch({ a: null }, absent)).toBeUndefined();
      expect(mismatch({ a: { $present: true } }, absent)).toContain("has to be set");
    }
    expect(mismatch({ a: { $absent: true } }, { a: "x" })).toContain("has to be absent");
  });

  it("compares 64-bit integers as strings and numbers alike", () => {
    expect(mismatch({ a: 5 }, { a: "5" })).toBeUndefined();
    expect(mismatch({ a: "5" }, { a: "6" })).toBeDefined();
    expect(mismatch({ a: { $min: 5, $max: 7 } }, { a: "8" })).toContain("at most 7");
    expect(mismatch({ a: { $sum: ["9007199254740000", 500] } }, { a: "9007199254740500" })).toBeUndefined();
  });

  it("has lists in any order, contained, and element by element", () => {
    const list = {
      a: [
        { n: 1, x: 0 },
        { n: 2, x: 0 },
      ],
    };
    expect(mismatch({ a: { $anyOrder: [{ n: 2 }, { n: 1 }] } }, list)).toBeUndefined();
    expect(mismatch({ a: { $anyOrder: [{ n: 2 }] } }, list)).toContain("holds more");
    expect(mismatch({ a: { $contains: [{ n: 3 }] } }, list)).toContain("has to contain");
    expect(mismatch({ a: { $each: { x: 0 } } }, list)).toBeUndefined();
    expect(mismatch({ a: { $length: 3 } }, list)).toContain("the length of a is 2");
    expect(mismatch({ a: { $not: [{ n: 1 }, { n: 2 }] } }, list)).toContain("must not match");
    expect(mismatch({ a: { $oneOf: ["x", "y"] } }, { a: "y" })).toBeUndefined();
    expect(mismatch({ a: { $matches: "^s-" } }, { a: "t-1" })).toContain("/^s-/");
  });
});
