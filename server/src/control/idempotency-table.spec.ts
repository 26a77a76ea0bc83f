import { describe, expect, it } from "vitest";
import { IdempotencyTable } from "./idempotency-table.ts";

describe("IdempotencyTable", () => {
  it("remembers for its time", () => {
    let nowMs = 0;
    const table = new IdempotencyTable<string>(1000, 10, () => nowMs);
    table.set("a", "first");
    nowMs = 999;
    expect(table.get("a")).toBe("first");
    nowMs = 1000;
    expect(table.get("a")).toBeUndefined();
  });

  it("forgets the oldest at its bound, and what has ended before", () => {
    let nowMs = 0;
    const table = new IdempotencyTable<number>(1000, 3, () => nowMs);
    for (let i = 0; i < 5; i++) table.set(`k${i}`, i);
    expect([0, 1, 2, 3, 4].map((i) => table.get(`k${i}`))).toEqual([undefined, undefined, 2, 3, 4]);
    nowMs = 5000;
    table.set("new", 1);
    expect(table.size).toBe(1);
  });

  it("forgets on demand", () => {
    const table = new IdempotencyTable<number>(1000, 3, () => 0);
    table.set("a", 1);
    table.delete("a");
    expect(table.get("a")).toBeUndefined();
  });
});
