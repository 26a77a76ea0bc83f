import { type CaseResult, CaseStatus, type Report } from "@fanfare/proto/conformance/v1alpha";

/** What a result means for the run. */
export type Outcome = "passed" | "failed" | "known failure" | "unexpected pass" | "unsupported" | "harness error";

/** A known failure that passes is no good news for the list: it fails the run. */
export function outcomeOf({ status, knownFailing }: CaseResult): Outcome {
  switch (status) {
    case CaseStatus.PASS:
      return knownFailing ? "unexpected pass" : "passed";
    case CaseStatus.FAIL:
      return knownFailing ? "known failure" : "failed";
    case CaseStatus.UNSUPPORTED:
      return "unsupported";
    default:
      return "harness error";
  }
}

const good: ReadonlySet<Outcome> = new Set(["passed", "known failure", "unsupported"]);

/** 0: as it has to be; 1: a case failed, or passed though it is known to fail; 3: the runner could not do its work. */
export function exitCodeOf({ results, listProblems }: Report): number {
  const outcomes = results.map(outcomeOf);
  if (outcomes.includes("harness error")) return 3;
  return outcomes.every((one) => good.has(one)) && listProblems.length === 0 ? 0 : 1;
}
