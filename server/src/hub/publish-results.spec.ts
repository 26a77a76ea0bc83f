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
});
