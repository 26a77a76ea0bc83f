import { CaseStatus } from "@fanfare/proto/conformance/v1alpha";
import type { LoadedCase } from "../cases/load-suites.ts";
import { summaryText } from "../report/summary.ts";
import { runServerSuite } from "../run/run-server-suite.ts";
import type { Mutant } from "./mutants.ts";
import type { Proof } from "./proof.ts";
import { openReference } from "./reference-environment.ts";
import { runMutants } from "./run-mutants.ts";

/** Runs the cases for servers against the reference server, and its mutants against those that have to catch them. */
export async function proveServerCases(
  all: readonly LoadedCase[],
  selected: readonly Mutant[],
  onLine: (line: string) => void,
): Promise<Proof> {
  await using environment = await openReference();
  // One after the other: rates are measured in both.
  const report = await runServerSuite(all, environment);
  const bad = report.results.filter(({ status }) => status === CaseStatus.FAIL || status === CaseStatus.HARNESS_ERROR);
  const startedAtMs = performance.now();
  const verdicts = await runMutants(all, selected, ({ mutant, spec, caughtBy, cases }) =>
    onLine(`${spec} ${mutant}: ${caughtBy === undefined ? `SURVIVED ${cases} cases` : `caught by ${caughtBy}`}`),
  );
  return {
    text: summaryText(report, { withTrace: false }),
    caught: verdicts.filter(({ caughtBy }) => caughtBy !== undefined).length,
    total: verdicts.length,
    isSound: bad.length === 0,
    durationMs: performance.now() - startedAtMs,
  };
}
