import { create } from "@bufbuild/protobuf";
import { type CaseResult, CaseResultSchema, CaseSchema, CaseStatus } from "@fanfare/proto/conformance/v1alpha";
import { describe, expect, it } from "vitest";
import { runSteadily } from "./run-steadily.ts";
import type { PlannedCase } from "./select-cases.ts";

const planned: PlannedCase[] = ["one", "two"].map((id) => ({ definition: create(CaseSchema, { id }), form: "binary" }));

/** Keeps this process busy, so that nothing else in it runs. */
function standStill(ms: number): void {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
}

function failsOnce(stallMs: number): (one: PlannedCase) => Promise<CaseResult> {
  const failed = new Set<string>();
  return async ({ definition: { id } }) => {
    if (id === "two" && !failed.has(id)) {
      failed.add(id);
      await new Promise((resolve) => setTimeout(resolve, 1));
      standStill(stallMs);
      return create(CaseResultSchema, { id, status: CaseStatus.FAIL });
    }
    return create(CaseResultSchema, { id, status: CaseStatus.PASS });
  };
}

describe("runSteadily", () => {
  it("runs a case again that failed while the runner stood still, and reports it once", async () => {
    const reported: string[] = [];
    const results = await runSteadily(planned, { concurrency: 2 }, failsOnce(200), ({ id }) => reported.push(id));
    expect(results.map(({ status }) => status)).toEqual([CaseStatus.PASS, CaseStatus.PASS]);
    expect(reported).toEqual(["one", "two"]);
  });

  it("lets a failure stand that nothing excuses", async () => {
    const results = await runSteadily(planned, { concurrency: 2 }, failsOnce(0), () => {});
    expect(results.map(({ status }) => status)).toEqual([CaseStatus.PASS, CaseStatus.FAIL]);
  });
});
