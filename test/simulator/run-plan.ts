import type { Plan } from "./plan.ts";
import { type RunOptions, type RunResult, SimulatedRun } from "./simulated-run.ts";

/** Runs a plan. Whatever goes wrong, also in the run itself, is among the faults. */
export async function runPlan(plan: Plan, options: RunOptions = {}): Promise<RunResult> {
  const unhandled: string[] = [];
  const onRejection = (reason: unknown): void =>
    void unhandled.push(`a promise was rejected unheard: ${stackOf(reason)}`);
  process.on("unhandledRejection", onRejection);
  try {
    const run = new SimulatedRun(plan, options);
    const { faults, tally } = await run.run().catch((reason: unknown) => ({
      faults: [`the run broke off: ${stackOf(reason)}`],
      tally: {},
    }));
    return { faults: [...faults, ...unhandled], tally };
  } finally {
    process.off("unhandledRejection", onRejection);
  }
}

function stackOf(reason: unknown): string {
  return reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
}
