import { describe, expect, it } from "vitest";
import type { Round } from "./run/round.ts";
import type { ContenderResult } from "./run/scenario-run.ts";
import { firehose } from "./scenarios/firehose.ts";
import { judge } from "./verdict.ts";

function result(name: ContenderResult["name"], cpuUs: readonly number[], foreignShare = 0): ContenderResult {
  const rounds = cpuUs.map((cpuUsPerDelivery) => ({ cpuUsPerDelivery, foreignShare }) as Round);
  return { name, rate: { messagesPerSecond: 2_000, saturated: false }, rounds };
}

describe("judge", () => {
  it("compares medians, so that one bad round decides nothing", () => {
    const verdict = judge(firehose, [result("floor", [4, 4, 9]), result("fanfare", [1, 2, 30])]);
    expect(verdict).toMatchObject({ timesFloor: 0.5, within: true });
  });

  it("says so in a sentence when a bound is passed", () => {
    const verdict = judge(firehose, [result("floor", [4]), result("fanfare", [2.1])]);
    expect(verdict?.within).toBe(false);
    expect(verdict?.sentence).toBe(
      "firehose: Fanfare takes 0.53 times the floor's CPU for a delivered message, PAST the bound of 0.5.",
    );
  });

  it("proves nothing where others used the core", () => {
    const verdict = judge(firehose, [result("floor", [4]), result("fanfare", [1], 0.3)]);
    expect(verdict).toMatchObject({ within: true, disturbed: true });
    expect(verdict?.sentence).toContain("NOT PROVEN");
  });

  it("judges nothing without both", () => {
    expect(judge(firehose, [result("fanfare", [1])])).toBeUndefined();
  });
});
