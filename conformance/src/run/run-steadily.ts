import { type CaseResult, CaseStatus } from "@fanfare/proto/conformance/v1alpha";
import { runPool } from "./pool.ts";
import type { PlannedCase } from "./select-cases.ts";
import { StallMeter } from "./stall-meter.ts";

/** A runner that stood still for longer, in milliseconds, cannot tell who was late. */
const mostStallMs = 100;

/**
 * Runs cases side by side. One that does not pass while the runner itself stood still is run again at the end, alone; what comes of that
 * counts, whatever it is.
 */
export async function runSteadily(
  planned: readonly PlannedCase[],
  concurrency: number,
  run: (one: PlannedCase) => Promise<CaseResult>,
  onResult: (result: CaseResult) => void,
): Promise<CaseResult[]> {
  using meter = new StallMeter();
  const again = new Set<PlannedCase>();
  const results = await runPool(planned, concurrency, async (one) => {
    const startedAtMs = performance.now();
    const result = await run(one);
    const isBad = result.status === CaseStatus.FAIL || result.status === CaseStatus.HARNESS_ERROR;
    if (isBad && meter.longestSince(startedAtMs) > mostStallMs) again.add(one);
    else onResult(result);
    return result;
  });
  for (const one of again) {
    const result = await run(one);
    onResult(result);
    results[planned.indexOf(one)] = result;
  }
  return results;
}
