import { type CaseResult, CaseStatus } from "@fanfare/proto/conformance/v1alpha";
import { runPool } from "./pool.ts";
import type { PlannedCase } from "./select-cases.ts";
import type { Slots } from "./slots.ts";
import { StallMeter } from "./stall-meter.ts";

/** A runner that stood still for longer, in milliseconds, cannot tell who was late. */
const mostStallMs = 100;

/** How many cases run at a time. */
export interface Pace {
  readonly concurrency: number;
  /** Shared with others who run cases on this machine, and how much of them a case takes. */
  readonly slots?: { readonly of: Slots; readonly weight: number } | undefined;
}

/**
 * Runs cases side by side. One that does not pass while the runner itself stood still is run again at the end, alone; what comes of that
 * counts, whatever it is.
 */
export async function runSteadily(
  planned: readonly PlannedCase[],
  { concurrency, slots }: Pace,
  run: (one: PlannedCase) => Promise<CaseResult>,
  onResult: (result: CaseResult) => void,
): Promise<CaseResult[]> {
  using meter = new StallMeter();
  const again = new Set<PlannedCase>();
  const first = async (one: PlannedCase) => {
    const startedAtMs = performance.now();
    const result = await run(one);
    const isBad = result.status === CaseStatus.FAIL || result.status === CaseStatus.HARNESS_ERROR;
    if (isBad && meter.longestSince(startedAtMs) > mostStallMs) again.add(one);
    else onResult(result);
    return result;
  };
  const results = await runPool(planned, concurrency, (one) =>
    slots === undefined ? first(one) : slots.of.use(slots.weight, () => first(one)),
  );
  for (const one of again) {
    const result = await (slots === undefined ? run(one) : slots.of.alone(() => run(one)));
    onResult(result);
    results[planned.indexOf(one)] = result;
  }
  return results;
}
