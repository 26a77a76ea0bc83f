import { LinksRun } from "../server/src/router/links/testing/links-run.ts";
import { testSeed } from "../test/test-seed.ts";
import { scriptOptions } from "./script-options.ts";

const { seeds: count, seed: first } = scriptOptions(
  `npm run simulate:links -- [options]

Runs links between three nodes over lanes that lose, delay, double, refuse and lie, while nodes are cut off, stand still and die, under virtual time. Holds
each run to order, truthful outcomes, told losses, bounds, and rest in the end. A seed repeats its run exactly. 1,000 runs take about 5 s.

  --seeds N  how many runs (default 2000)
  --seed S   the first one (default: FANFARE_SEED, or 1)
  --help     print this`,
  {
    seeds: { type: "number", default: 2_000, max: 1_000_000_000 },
    seed: { type: "number", min: 0, max: 2 ** 48, default: testSeed },
  },
);

let failed = 0;
const happened: Record<string, number> = {};
const beganMs = performance.now();
for (let seed = first; seed < first + count; seed++) {
  const run = new LinksRun(seed);
  const faults = await run.run().catch((reason: unknown) => [`${reason}`]);
  for (const counters of run.counters) {
    for (const [name, value] of Object.entries(counters)) happened[name] = (happened[name] ?? 0) + value;
  }
  if (faults.length === 0) continue;
  failed++;
  if (failed <= 20) console.log(`seed ${seed}\n  ${faults.slice(0, 5).join("\n  ")}`);
}
const { recordsDelivered, recordsFailed, recordsUnknown, batchesRepeated, laneMoves, suspensions, lossesOut } =
  happened;
const { sharedOut, sharedIn, sharedRepaired, sharedRefused, sharedPast } = happened;
console.table({
  ...{ recordsDelivered, recordsFailed, recordsUnknown, batchesRepeated, laneMoves, suspensions, lossesOut },
  ...{ sharedOut, sharedIn, sharedRepaired, sharedRefused, sharedPast },
});
console.log(`${count} runs, ${failed} failed, ${Math.round((performance.now() - beganMs) / 1000)} s`);
process.exitCode = failed === 0 ? 0 : 1;
