import { expect, it } from "vitest";
import { FaultWindows } from "./fault-windows.ts";

it("knows when there was a fault, and what was waited for meanwhile", async () => {
  const faults = new FaultWindows();
  const fromMs = performance.now();
  const look = async () => expect(faults.overMs(0, performance.now())).toBe(Number.POSITIVE_INFINITY);
  await faults.during(look, { settleMs: 1_000 });
  const toMs = performance.now() + 1_000;
  faults.mended();
  expect(faults.mendedMs(0, 1)).toBe(0);
  expect(faults.mendedMs(fromMs, toMs)).toBeGreaterThan(fromMs);
  expect(faults.overMs(0, fromMs - 1)).toBe(fromMs - 1);
  expect(faults.overMs(toMs + 1, toMs + 2)).toBe(toMs + 2);
  expect(faults.overMs(fromMs - 1, toMs - 500)).toBeLessThanOrEqual(toMs);
  expect(faults.overMs(fromMs - 1, toMs - 500)).toBeGreaterThan(toMs - 500);
  expect([faults.overlaps(fromMs - 10, toMs), faults.overlaps(0, fromMs - 10)]).toEqual([true, false]);
  const timed = (atMs: number, tookMs: number) => ({ atMs, tookMs });
  expect(faults.p99Ms([timed(toMs - 100, 7), timed(fromMs - 50, 20), timed(toMs + 50, 99)])).toBe(7);
  expect(faults.p99Ms([timed(fromMs - 50, 70)])).toBe(70);
});

it("knows to which node what was done", async () => {
  const faults = new FaultWindows();
  await faults.during(async () => {});
  expect(faults.strikes).toEqual([]);
  await faults.during(async () => {}, { nodeId: "n2", settleMs: 1_000 });
  expect(faults.strikes).toMatchObject([{ nodeId: "n2" }]);
  const took = faults.strikes.map(({ fromMs, toMs }) => toMs - fromMs);
  expect(took[0]).toBeGreaterThanOrEqual(1_000);
});

it("knows when the next fault began", () => {
  const faults = new FaultWindows([
    { fromMs: 1_000, toMs: 2_000 },
    { fromMs: 5_000, toMs: 6_000 },
  ]);
  expect([500, 1_000, 1_500, 5_500].map((atMs) => faults.nextMs(atMs))).toEqual([
    1_000,
    5_000,
    5_000,
    Number.POSITIVE_INFINITY,
  ]);
});
