import { ErrorCode, Outcome } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { PublishResults } from "./publish-results.ts";

describe("PublishResults", () => {
  it("takes for a repeat what is not higher than the highest of its class", () => {
    const results = new PublishResults(4);
    expect(results.isRepeat(1, false)).toBe(false);
    results.see(5, false);
    expect([1, 5, 6].map((seq) => results.isRepeat(seq, false))).toEqual([true, true, false]);
    expect(results.isRepeat(5, true)).toBe(false);
    results.see(3, true);
    expect([3, 4].map((seq) => results.isRepeat(seq, true))).toEqual([true, false]);
    results.see(4, false);
    expect(results.isRepeat(5, false)).toBe(true);
    expect(results.isRepeat(2 ** 53 - 1, false)).toBe(false);
  });

  it("takes nothing for a repeat that has waited while higher ones were handled", () => {
    const results = new PublishResults(3);
    results.see(1, false);
    for (const seq of [1, 2, 3]) results.wait(seq, false);
    results.wait(2, true);
    results.see(4, false);
    results.see(4, true);
    expect([1, 2, 3, 4].map((seq) => results.isRepeat(seq, false))).toEqual([true, false, false, true]);
    expect([2, 3].map((seq) => results.isRepeat(seq, true))).toEqual([false, true]);
    expect(results.toMoved()).toMatchObject({ last: 1, lastVolatile: 4 });
    results.see(2, false);
    expect([2, 3].map((seq) => results.isRepeat(seq, false))).toEqual([true, false]);
    expect(results.toMoved().last).toBe(2);
    for (let seq = 5; seq < 5 + 1_024; seq++) results.wait(seq, false);
    results.see(2_000, false);
    expect([3, 5, 1_028].map((seq) => results.isRepeat(seq, false))).toEqual([true, false, false]);
  });

  it("remembers the newest results, and says UNKNOWN of what it has forgotten", () => {
    const results = new PublishResults(3);
    expect(results.resultOf(1)).toEqual({ outcome: Outcome.UNKNOWN, code: ErrorCode.UNSPECIFIED });
    results.remember(1, Outcome.DELIVERED);
    results.remember(2, Outcome.FAILED, ErrorCode.PERMISSION_DENIED);
    results.remember(2 ** 53 - 1, Outcome.OFFLINE);
    expect(results.resultOf(2)).toEqual({ outcome: Outcome.FAILED, code: ErrorCode.PERMISSION_DENIED });
    expect(results.resultOf(2 ** 53 - 1).outcome).toBe(Outcome.OFFLINE);
    results.remember(4, Outcome.DELIVERED);
    expect(results.resultOf(1).outcome).toBe(Outcome.UNKNOWN);
    expect([2, 4].map((seq) => results.resultOf(seq).outcome)).toEqual([Outcome.FAILED, Outcome.DELIVERED]);
  });

  it("tells of a publish that is under way what becomes of it, once it is known", () => {
    const results = new PublishResults(3);
    const heard: unknown[] = [];
    expect(results.whenKnown(1, (result) => heard.push(result))).toBe(false);
    results.begin(1);
    expect(results.whenKnown(1, (result) => heard.push(result))).toBe(true);
    expect([results.toMoved().underWay, heard]).toEqual([[1], []]);
    results.remember(1, Outcome.OFFLINE);
    expect(heard).toEqual([{ outcome: Outcome.OFFLINE, code: ErrorCode.UNSPECIFIED }]);
    expect(results.toMoved().underWay).toEqual([]);
  });

  it("knows what was under way when its session came here, until it is sent again", () => {
    const results = new PublishResults(3);
    results.leaveBehind(1);
    expect([results.isLeftBehind(1), results.isLeftBehind(2), results.whenKnown(1, () => {})]).toEqual([
      true,
      false,
      false,
    ]);
    expect(results.toMoved().underWay).toEqual([1]);
    results.begin(1);
    expect([results.isLeftBehind(1), results.whenKnown(1, () => {})]).toEqual([false, true]);
  });

  it("forgets the oldest of what is under way at the bound, and lets no more ask than that", () => {
    const results = new PublishResults(3);
    for (const seq of [1, 2]) results.leaveBehind(seq);
    for (const seq of [3, 4]) results.begin(seq);
    expect(results.toMoved().underWay).toEqual([2, 3, 4]);
    expect([1, 2, 3, 4].map(() => results.whenKnown(4, () => {}))).toEqual([true, true, true, false]);
  });
});
