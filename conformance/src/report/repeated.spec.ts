import { create } from "@bufbuild/protobuf";
import { CaseStatus, ReportSchema } from "@fanfare/proto/conformance/v1alpha";
import { describe, expect, it } from "vitest";
import { flakesOf, flakesText, worstOf } from "./repeated.ts";

function run(...statuses: CaseStatus[]) {
  return create(ReportSchema, {
    version: 1,
    implementation: "x",
    durationMs: 10,
    results: statuses.map((status, i) => ({ id: `core/${i}`, status, message: `status ${status}` })),
  });
}

const { PASS, FAIL, UNSUPPORTED } = CaseStatus;

describe("repeated runs", () => {
  it("find the cases that do not end alike, and say how often they had which outcome", () => {
    const runs = [run(PASS, PASS, FAIL), run(PASS, FAIL, FAIL), run(PASS, PASS, FAIL)];
    expect(flakesOf(runs)).toEqual([{ id: "core/1", counts: { passed: 2, failed: 1 }, message: "status 2" }]);
    expect(flakesText(runs)).toBe("FLAKY core/1: passed 2, failed 1\n  status 2\n3 cases, 3 times: 1 flaky");
  });

  it("are one report with the worst of each case, so that one failure fails the whole", () => {
    const { results, durationMs } = worstOf([run(PASS, UNSUPPORTED), run(FAIL, UNSUPPORTED), run(PASS, UNSUPPORTED)]);
    expect(results.map(({ status }) => status)).toEqual([FAIL, UNSUPPORTED]);
    expect(durationMs).toBe(30);
  });

  it("say that nothing is flaky", () => {
    expect(flakesText([run(PASS), run(PASS)])).toBe("1 cases, 2 times: no flaky");
  });
});
