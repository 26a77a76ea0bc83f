import { expect, it } from "vitest";
import { fuzz } from "../testing/fuzz/fuzz-run.ts";

const frames = 100_000;

it("survives 100,000 mutated frames, undisturbed and without a trace", { timeout: 120_000 }, async () => {
  const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 32));
  console.log(`seed ${seed}; the same again: npm run fuzz -- --frames ${frames} --seed ${seed}`);
  const report = await fuzz({ frames, seed });
  expect(report.problems).toEqual([]);
  expect(report.frames).toBeGreaterThanOrEqual(frames);
  expect(report.bystanderMessages).toBeGreaterThan(100);
  expect(report.heapGrowthBytes).toBeLessThan(8 * 1024 * 1024);
});
