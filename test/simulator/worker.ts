import type { Plan, Setting } from "./plan.ts";
import { planOf } from "./plan-generator.ts";
import { runPlan } from "./run-plan.ts";
import type { Sabotage } from "./sabotage.ts";
import type { Tally } from "./tally.ts";
import { addTally } from "./tally.ts";

/** Seeds that a worker is given at once. */
export interface SeedRange {
  readonly from: number;
  readonly count: number;
  readonly settings: readonly Setting[];
  readonly sabotage?: Sabotage | undefined;
}

/** A seed that failed. */
export interface FailedSeed {
  readonly plan: Plan;
  readonly faults: readonly string[];
}

/** What came of a range of seeds. */
export interface RangeResult {
  readonly from: number;
  readonly count: number;
  readonly tally: Tally;
  readonly failed: readonly FailedSeed[];
}

/** Runs the seeds of a range one after the other. */
async function runRange({ from, count, settings, sabotage }: SeedRange): Promise<RangeResult> {
  const tally: Tally = {};
  const failed: FailedSeed[] = [];
  for (let seed = from; seed < from + count; seed++) {
    const plan = planOf(seed, settings);
    const result = await runPlan(plan, { sabotage });
    addTally(tally, result.tally);
    if (result.faults.length > 0) failed.push({ plan, faults: result.faults });
  }
  return { from, count, tally, failed };
}

process.on("message", (range: SeedRange) => {
  void runRange(range).then((result) => process.send?.(result));
});
