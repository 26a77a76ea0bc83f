import { type CaseResult, CaseStatus } from "@fanfare/proto/conformance/v1alpha";
import { UnknownPlaceholder } from "../cases/placeholders.ts";
import { CaseFailure, HarnessError } from "./failure.ts";

/** Writes into a result what ended its case: the implementation's failure, or the runner's own. */
export function describeFailure(error: unknown, result: CaseResult): void {
  if (error instanceof CaseFailure) {
    result.status = CaseStatus.FAIL;
    result.message = error.message;
    result.brokenSpec = error.spec ?? "";
    return;
  }
  result.status = CaseStatus.HARNESS_ERROR;
  const isOwn = error instanceof HarnessError || error instanceof UnknownPlaceholder;
  result.message = isOwn ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
}
