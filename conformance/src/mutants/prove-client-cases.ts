import type { LoadedCase } from "../cases/load-suites.ts";
import { summaryText } from "../report/summary.ts";
import type { ClientMutant } from "./client-mutants.ts";
import type { Proof } from "./proof.ts";
import { hasFailed, runClientMutants, runReferenceClient, unknownCases } from "./run-client-mutants.ts";

/** Runs the cases for clients with the reference client, and its mutants with those that have to catch them. */
export async function proveClientCases(
  all: readonly LoadedCase[],
  selected: readonly ClientMutant[],
  onLine: (line: string) => void,
): Promise<Proof> {
  const unknown = unknownCases(all);
  for (const name of unknown) onLine(`the table of mutants names client/${name}, and there is no such case`);
  const startedAtMs = performance.now();
  const [report, verdicts] = await Promise.all([
    runReferenceClient(all),
    runClientMutants(all, selected, ({ mutant, spec, caughtBy, cases }) =>
      onLine(`${spec} ${mutant}: ${caughtBy === undefined ? `SURVIVED ${cases} cases` : `caught by ${caughtBy}`}`),
    ),
  ]);
  return {
    text: summaryText(report, { withTrace: false }),
    caught: verdicts.filter(({ caughtBy }) => caughtBy !== undefined).length,
    total: verdicts.length,
    isSound: !hasFailed(report) && unknown.length === 0,
    durationMs: performance.now() - startedAtMs,
  };
}
