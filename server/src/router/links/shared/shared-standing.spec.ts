import { describe, expect, it } from "vitest";
import { SharedStanding } from "./shared-standing.ts";

describe("the standing of a peer", () => {
  it("leaves it out after two losses in a row, each time for twice as long, up to a bound", () => {
    const standing = new SharedStanding(1_000, 3_000);
    let nowMs = 0;
    const leftOutMs: number[] = [];
    for (let i = 0; i < 4; i++) {
      standing.lost(nowMs);
      expect(standing.isAvoided(nowMs)).toBe(false);
      standing.lost(nowMs);
      const fromMs = nowMs;
      while (standing.isAvoided(nowMs)) nowMs += 500;
      leftOutMs.push(nowMs - fromMs);
    }
    expect(leftOutMs).toEqual([1_000, 2_000, 3_000, 3_000]);
    standing.proved();
    standing.lost(nowMs);
    standing.lost(nowMs);
    expect([standing.isAvoided(nowMs + 999), standing.isAvoided(nowMs + 1_000)]).toEqual([true, false]);
  });

  it("does not count losses that another one was between, or that were the lane's fault", () => {
    const standing = new SharedStanding(1_000, 3_000);
    standing.lost(0);
    standing.proved();
    standing.lost(0);
    standing.forgive();
    standing.lost(0);
    expect(standing.isAvoided(0)).toBe(false);
  });

  it("counts what it hears without credit until it has acknowledged something that was sent later", () => {
    const standing = new SharedStanding(1_000, 3_000);
    standing.overdraw(100, 7);
    standing.overdraw(50, 9);
    standing.acknowledged(8);
    expect(standing.overdraftBytes).toBe(150);
    standing.acknowledged(9);
    expect(standing.overdraftBytes).toBe(0);
  });
});
