import { expect, it } from "vitest";
import { judge } from "./ledger.ts";
import type { Scenario } from "./scenario.ts";
import { scenarios } from "./scenarios.ts";
import { brokenBounds, type Outcome } from "./verdict.ts";

const fine: Outcome = {
  scenario: "any",
  live: { ...judge([], [], false), received: 1 },
  durable: { ...judge([], [], true), received: 1 },
  elsewhere: { due: 1, missed: 0, gaps: 0, failed: 0, examples: [] },
  ...{
    connectP99Ms: 0,
    subscribeP99Ms: 0,
    failedConnects: 0,
    heldBackNewcomers: 0,
    longestOutageMs: 0,
    disconnected: 0,
    lostSessions: 0,
  },
  failures: {},
  nodeEnds: [],
};
/** The least that a scenario is held to. */
const lax = { liveIsWhole: false, longestArrivalAfterMs: 5_000 };
const strict = {
  liveIsWhole: true,
  longestArrivalAfterMs: 1_500,
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
  { durable: { ...fine.durable, gaps: 1 } },
  { durable: { ...fine.durable, longestArrivalAfterMs: 5_001 } },
  { disconnected: 1 },
  { lostSessions: 1 },
  { heldBackNewcomers: 1 },
  { nodeEnds: ["node n1 ended by itself, with 1:"] },
  { live: { ...fine.live, received: 0 } },
])("does not hold, whatever the scenario, with %j", (change) => {
  expect(brokenBounds({ ...fine, ...change }, lax)).toHaveLength(1);
});

it.each([
  { live: { ...fine.live, failed: 1 } },
  { live: { ...fine.live, unknown: 1 } },
  { live: { ...fine.live, offline: 1 } },
  { live: { ...fine.live, toldAsGap: 1 } },
  { live: { ...fine.live, gaps: 1 } },
  { live: { ...fine.live, longestStallMs: 501 } },
  { durable: { ...fine.durable, longestAnswerAfterMs: 1_001 } },
  { durable: { ...fine.durable, longestArrivalAfterMs: 1_501 } },
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
  expect(brokenBounds(outcome, lax)).toEqual([]);
  expect(brokenBounds(outcome, strict)).toHaveLength(1);
});

it("does not hold where a bound was not measured against", () => {
  expect(brokenBounds(fine, strict)).toHaveLength(3);
});

it("lets receivers be told of as many gaps of durable channels as the scenario says", () => {
  const durable = { ...fine.durable, gaps: 2 };
  const broken = (durableGaps: number) => brokenBounds({ ...fine, durable }, { ...lax, durableGaps });
  expect([broken(1), broken(2)]).toEqual([["gaps told of durable channels: 2, and 1 at the most"], []]);
});

it("holds scenarios that nobody may be disconnected by to connections that stay", () => {
  const unnoticed = [
    "kill-primary",
    "failover",
    "rolling-upgrade",
    "migrate-slots",
    "freeze-primary",
    "restart-standalone",
  ];
  for (const name of unnoticed) {
    const { bounds } = scenarios[name] as Scenario;
    expect(bounds, name).toMatchObject({ longestOutageMs: 0, failedConnects: 0 });
  }
});

it("finds what a cluster that stores next to nothing was once let off with", () => {
  const durable = { ...fine.durable, sent: 10_000, delivered: 1, failed: 9_000, unknown: 999 };
  for (const { bounds } of Object.values(scenarios)) {
    const most = bounds.durableFailShare === undefined ? 0 : 100;
    const said = `durable messages failed or unknown: 9999, and ${most} at the most`;
    expect(brokenBounds({ ...fine, ...measured, durable }, bounds)).toContain(said);
  }
});
