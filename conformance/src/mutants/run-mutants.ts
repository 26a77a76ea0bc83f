import { CaseStatus, Profile, Subject } from "@fanfare/proto/conformance/v1alpha";
import type { LoadedCase } from "../cases/load-suites.ts";
import { watchedOfServers } from "../rules/server-watcher.ts";
import { runPool } from "../run/pool.ts";
import { runServerCase } from "../run/run-server-case.ts";
import { type PlannedCase, selectCases } from "../run/select-cases.ts";
import { type Mutant, mutants } from "./mutants.ts";
import { openReference } from "./reference-environment.ts";

/** What became of a mutant. */
export interface MutantVerdict {
  readonly mutant: Mutant;
  readonly spec: string;
  /** The case that noticed it, or undefined: it survived. */
  readonly caughtBy: string | undefined;
  /** Cases that prove the broken requirement; none can catch it if there are none. */
  readonly cases: number;
}

/** Mutants at a time; each has a server of its own, and its cases mostly wait. */
const mutantsAtOnce = 10;
const casesAtOnce = 6;

/** Holds each mutant against the cases that prove the requirement it breaks, and no others. */
export function runMutants(
  all: readonly LoadedCase[],
  selected: readonly Mutant[],
  onVerdict: (verdict: MutantVerdict) => void = () => {},
): Promise<MutantVerdict[]> {
  return runPool(selected, mutantsAtOnce, async (mutant) => {
    const verdict = await runMutant(all, mutant);
    onVerdict(verdict);
    return verdict;
  });
}

async function runMutant(all: readonly LoadedCase[], mutant: Mutant): Promise<MutantVerdict> {
  const spec = mutants[mutant];
  await using environment = await openReference(new Set([mutant]));
  const isOfJson = spec.startsWith("FF-JS-");
  const inForm = ({ definition, form }: PlannedCase) =>
    isOfJson ? form === "json" : form === "binary" || definition.profile === Profile.JSON;
  const cited = selectCases(all, Subject.SERVER, { specs: [spec] }).filter(inForm);
  // What holds on every connection is held by every case: a few of them are enough to notice.
  const planned =
    cited.length > 0 || !watchedOfServers.includes(spec)
      ? cited
      : selectCases(all, Subject.SERVER, { cases: ["core"] }).filter(inForm);
  let caughtBy: string | undefined;
  await runPool(planned, casesAtOnce, async ({ definition, form }) => {
    if (caughtBy !== undefined) return;
    const { id, status, brokenSpec } = await runServerCase(definition, form, environment);
    const isAboutIt = definition.specs.includes(spec) || brokenSpec === spec;
    if (status === CaseStatus.FAIL && isAboutIt) caughtBy ??= id;
  });
  return { mutant, spec, caughtBy, cases: planned.length };
}
