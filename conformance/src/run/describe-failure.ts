import { toJson } from "@bufbuild/protobuf";
import { type Case, type CaseResult, CaseStatus, StepSchema } from "@fanfare/proto/conformance/v1alpha";
import { stringify } from "yaml";
import { UnknownPlaceholder } from "../cases/placeholders.ts";
import { CaseFailure, HarnessError } from "./failure.ts";

/** Writes into a result what ended its case: the implementation's failure, or the runner's own. */
export function describeFailure(error: unknown, result: CaseResult, { steps }: Case): void {
  const step = steps[result.step - 1];
  if (step !== undefined) result.expected = stringify(toJson(StepSchema, step), { lineWidth: 100 });
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
