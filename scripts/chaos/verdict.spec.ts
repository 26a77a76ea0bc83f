import { expect, it } from "vitest";
import { judge } from "./ledger.ts";
import { brokenBounds, type Outcome } from "./verdict.ts";

const fine: Outcome = {
  scenario: "any",
  live: { ...judge([], [], false), received: 1 },
  durable: { ...judge([], [], true), received: 1 },
  ...{ connectP99Ms: 0, subscribeP99Ms: 0, failedConnects: 0, longestOutageMs: 0, lostSessions: 0, failures: {} },
};
const strict = {
  liveIsWhole: true,
  longestStallMs: 500,
  longestAnswerAfterMs: 1_000,
  longestOutageMs: 0,
  memoryGrowthMib: 64,
};

it("holds where no bound is broken", () => {
  expect(brokenBounds({ ...fine, memoryGrowthMib: 64 }, strict)).toEqual([]);
});

it.each([
  { live: { ...fine.live, lost: 1 } },
  { live: { ...fine.live, doubled: 1 } },
  { live: { ...fine.live, reordered: 1 } },
  { durable: { ...fine.durable, lost: 1 } },
  { durable: { ...fine.durable, doubled: 1 } },
  { durable: { ...fine.durable, reordered: 1 } },
  { durable: { ...fine.durable, pending: 1 } },
  { live: { ...fine.live, received: 0 } },
])("does not hold, whatever the scenario, with %j", (change) => {
  expect(brokenBounds({ ...fine, ...change }, { liveIsWhole: false })).toHaveLength(1);
});

it.each([
  { live: { ...fine.live, failed: 1 } },
  { live: { ...fine.live, unknown: 1 } },
  { live: { ...fine.live, offline: 1 } },
  { live: { ...fine.live, toldAsGap: 1 } },
  { live: { ...fine.live, longestStallMs: 501 } },
  { durable: { ...fine.durable, longestAnswerAfterMs: 1_001 } },
  { longestOutageMs: 1 },
  { memoryGrowthMib: 65 },
  { memoryGrowthMib: Number.NaN },
])("holds without the bound and not with it, with %j", (change) => {
  const outcome = { ...fine, memoryGrowthMib: 0, ...change };
  expect(brokenBounds(outcome, { liveIsWhole: false })).toEqual([]);
  expect(brokenBounds(outcome, strict)).toHaveLength(1);
});
