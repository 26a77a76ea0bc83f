import { describe, expect, it } from "vitest";
import { closingLine, type FinishedModule } from "./closing-line-reporter.ts";

type Outcome = "passed" | "failed" | "skipped" | "pending";

function module(state: "passed" | "failed" | "skipped", ...outcomes: Outcome[]): FinishedModule {
  const tests = outcomes.map((outcome) => ({ result: () => ({ state: outcome }) }));
  return { children: { allTests: () => tests }, state: () => state };
}

describe("closingLine", () => {
  it("adds up all files", () => {
    const modules = [module("passed", "passed", "skipped"), module("failed", "failed", "passed")];
    expect(closingLine(modules, 0)).toBe("2 passed, 1 failed, 1 skipped");
  });

  it("counts a file that could not be collected as one failure", () => {
    expect(closingLine([module("failed"), module("passed", "passed")], 0)).toBe("1 passed, 1 failed, 0 skipped");
  });

  it("counts errors outside of tests and tests that never finished as failures", () => {
    expect(closingLine([module("passed", "passed", "pending")], 2)).toBe("1 passed, 3 failed, 0 skipped");
  });
});
