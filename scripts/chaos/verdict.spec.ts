import { expect, it } from "vitest";
import { judge } from "./ledger.ts";
import { scenarios } from "./scenarios.ts";
import { brokenBounds, type Outcome } from "./verdict.ts";

const fine: Outcome = {
  scenario: "any",
  live: { ...judge([], [], false), received: 1 },
  durable: { ...judge([], [], true), received: 1 },
  elsewhere: { due: 1, missed: 0, gaps: 0, failed: 0, examples: [] },
  ...{ connectP99Ms: 0, subscribeP99Ms: 0, failedConnects: 0, longestOutageMs: 0, disconnected: 0, lostSessions: 0 },
  failures: {},
};
const strict = {
  liveIsWhole: true,
  longestStallMs: 500,
  longestAnswerAfterMs: 1_000,
  longestOutageMs: 0,
  failedConnects: 0,
  elsewhereIsWhole: true,
  linkWaitingMib: 8,
  residentGrowthMib: 64,
};
const measured = { linkWaitingMib: 8, residentGrowthMib: 64, saidToStalledMib: 16 };

it("holds where no bound is broken", () => {
  expect(brokenBounds({ ...fine, ...measured }, strict)).toEqual([]);
});

it.each([
  { live: { ...fine.live, lost: 1 } },
  { live: { ...fine.live, doubled: 1 } },
  { live: { ...fine.live, reordered: 1 } },
  { durable: { ...fine.durable, lost: 1 } },
  { durable: { ...fine.durable, doubled: 1 } },
  { durable: { ...fine.durable, reordered: 1 } },
  { durable: { ...fine.durable, pending: 1 } },
  { durable: { ...fine.durable, failed: 1 } },
  { durable: { ...fine.durable, unknown: 1 } },
  { disconnected: 1 },
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
  { failedConnects: 1 },
  { elsewhere: { ...fine.elsewhere, due: 0 } },
  { elsewhere: { ...fine.elsewhere, missed: 1 } },
  { elsewhere: { ...fine.elsewhere, gaps: 1 } },
  { elsewhere: { ...fine.elsewhere, failed: 1 } },
  { linkWaitingMib: 9 },
  { linkWaitingMib: Number.NaN },
  { saidToStalledMib: 15 },
  { residentGrowthMib: 65 },
])("holds without the bound and not with it, with %j", (change) => {
  const outcome = { ...fine, ...measured, ...change };
  expect(brokenBounds(outcome, { liveIsWhole: false })).toEqual([]);
  expect(brokenBounds(outcome, strict)).toHaveLength(1);
});

it("does not hold where a bound was not measured against", () => {
  expect(brokenBounds(fine, strict)).toHaveLength(3);
});

it("finds what a cluster that stores next to nothing was once let off with", () => {
  const durable = { ...fine.durable, sent: 10_000, delivered: 1, failed: 9_000, unknown: 999 };
  for (const { bounds } of Object.values(scenarios)) {
    const most = bounds.durableFailShare === undefined ? 0 : 100;
    const said = `durable messages failed or unknown: 9999, and ${most} at the most`;
    expect(brokenBounds({ ...fine, ...measured, durable }, bounds)).toContain(said);
  }
});
