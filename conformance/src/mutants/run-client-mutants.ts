import { CaseStatus, type Report, Subject } from "@fanfare/proto/conformance/v1alpha";
import type { LoadedCase } from "../cases/load-suites.ts";
import { planClientCases, runClientCase, runClientSuite } from "../client-mode/run-client-suite.ts";
import { openReferenceClient } from "../reference-client/open-reference-client.ts";
import { runPool } from "../run/pool.ts";
import { type PlannedCase, selectCases } from "../run/select-cases.ts";
import { type ClientMutant, clientMutants, noClientBreaks } from "./client-mutants.ts";

/** What became of a mutant of the client. */
export interface ClientMutantVerdict {
  readonly mutant: ClientMutant;
  readonly spec: string;
  /** The case that noticed it, or undefined: it survived. */
  readonly caughtBy: string | undefined;
  /** Cases that were to notice it. */
  readonly cases: number;
}

/** Side by side: they mostly wait. */
const mutantsAtOnce = 12;
const casesAtOnce = 16;
/** Some cases are about delays that are drawn at random, and a busy machine makes short ones long: a survivor is tried again. */
const attempts = 3;
/** What does not come from a broken client is not waited for as long as from another process. */
const patienceMs = 2_000;

/** Every case for clients, with the reference client as it should be. */
export function runReferenceClient(all: readonly LoadedCase[]): Promise<Report> {
  const adapter = openReferenceClient(noClientBreaks);
  return runClientSuite(all, { adapter, patienceMs: 5_000 }, { concurrency: casesAtOnce });
}

/** Holds each mutant against the cases that have to notice it. */
export function runClientMutants(
  all: readonly LoadedCase[],
  selected: readonly ClientMutant[],
  onVerdict: (verdict: ClientMutantVerdict) => void = () => {},
): Promise<ClientMutantVerdict[]> {
  return runPool(selected, mutantsAtOnce, async (mutant) => {
    const verdict = await runMutant(all, mutant);
    onVerdict(verdict);
    return verdict;
  });
}

async function runMutant(all: readonly LoadedCase[], mutant: ClientMutant): Promise<ClientMutantVerdict> {
  const { spec, by } = clientMutants[mutant];
  const open = openReferenceClient(new Set([mutant]));
  const planned = casesOf(all, by);
  for (const one of Array.from({ length: attempts }, () => planned).flat()) {
    const { id, status, brokenSpec } = await runClientCase(one, { open, patienceMs });
    const isAboutIt = one.definition.specs.includes(spec) || brokenSpec === spec;
    if (status === CaseStatus.FAIL && isAboutIt) return { mutant, spec, caughtBy: id, cases: planned.length };
  }
  return { mutant, spec, caughtBy: undefined, cases: planned.length };
}

/** The cases of these names, each in the form that it is written for. */
function casesOf(all: readonly LoadedCase[], names: readonly string[]): PlannedCase[] {
  const ids = names.map((name) => `client/${name}`);
  return planClientCases(all).filter(({ definition }) => ids.includes(definition.id));
}

/** Names in the table that no case has. */
export function unknownCases(all: readonly LoadedCase[]): string[] {
  const ids = new Set(selectCases(all, Subject.CLIENT, {}).map(({ definition }) => definition.id));
  return Object.values(clientMutants).flatMap(({ by }) => by.filter((name) => !ids.has(`client/${name}`)));
}

/** Whether a report has a case that did not pass. */
export function hasFailed({ results }: Report): boolean {
  return results.some(({ status }) => status === CaseStatus.FAIL || status === CaseStatus.HARNESS_ERROR);
}
