import type { Reporter, SerializedError, TestModule } from "vitest/node";

/**
 * Ends a run with `N passed, N failed, N skipped` alone on a line, for machines that read the log. A file that could not
 * be collected and an error outside of any test count as failures, so that no broken run reads as a green one.
 */
export class ClosingLineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    // After the summary of the reporter for people, which prints in the same hook.
    setImmediate(() => console.log(closingLine(modules, unhandledErrors.length)));
  }
}

/** What the line needs of a test file that has run. */
export interface FinishedModule {
  children: { allTests(): Iterable<{ result(): { state: "passed" | "failed" | "skipped" | "pending" } }> };
  state(): string;
}

/** The line for a finished run. A test that never finished counts as failed. */
export function closingLine(modules: readonly FinishedModule[], unhandledErrors: number): string {
  const count = { passed: 0, failed: unhandledErrors, skipped: 0 };
  for (const module of modules) {
    const outcomes = Array.from(module.children.allTests(), (test) => test.result().state);
    for (const outcome of outcomes) count[outcome === "pending" ? "failed" : outcome]++;
    if (module.state() === "failed" && !outcomes.includes("failed")) count.failed++;
  }
  return `${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`;
}
