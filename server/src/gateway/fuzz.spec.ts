import { expect, it } from "vitest";
import { testSeed } from "../../../test/test-seed.ts";
import { fuzz } from "../testing/fuzz/fuzz-run.ts";

const frames = 100_000;

it("survives 100,000 mutated frames, undisturbed and without a trace", { timeout: 120_000 }, async () => {
  const report = await fuzz({ frames, seed: testSeed });
  expect(report.problems).toEqual([]);
  expect(report.frames).toBeGreaterThanOrEqual(frames);
  expect(report.bystanderMessages).toBeGreaterThan(100);
  expect(report.heapGrowthBytes).toBeLessThan(8 * 1024 * 1024);
});
