import { CaseStatus } from "@fanfare/proto/conformance/v1alpha";
import { loadSuites } from "../cases/load-suites.ts";
import { readRequirements } from "../cases/requirements.ts";
import { summaryText } from "../report/summary.ts";
import { runServerSuite } from "../run/run-server-suite.ts";
import { type Mutant, mutants } from "./mutants.ts";
import { openReference } from "./reference-environment.ts";
import { runMutants } from "./run-mutants.ts";

// Proves the suite: the reference server passes all it claims, and each of its mutants is caught by a case that proves the requirement
// it breaks. Arguments name the mutants to run; none: all of them.
const all = loadSuites(readRequirements());
const names = Object.keys(mutants) as Mutant[];
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !names.includes(name as Mutant));
if (unknown.length > 0) {
  console.error(`there is no mutant ${unknown.join(", ")}; there are ${names.join(", ")}`);
  process.exit(2);
}

await using environment = await openReference();
const report = await runServerSuite(all, environment);
const bad = report.results.filter(({ status }) => status === CaseStatus.FAIL || status === CaseStatus.HARNESS_ERROR);
console.log(summaryText(report, { withTrace: false }));
const selected = wanted.length > 0 ? (wanted as Mutant[]) : names;
const startedAtMs = performance.now();
const verdicts = await runMutants(all, selected, ({ mutant, spec, caughtBy, cases }) => {
  const fate = caughtBy === undefined ? `SURVIVED ${cases} cases` : `caught by ${caughtBy}`;
  if (caughtBy === undefined || wanted.length > 0) console.log(`${spec} ${mutant}: ${fate}`);
});
const caught = verdicts.filter(({ caughtBy }) => caughtBy !== undefined).length;
console.log(
  `mutants: ${caught} caught / ${verdicts.length}, ${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`,
);
if (bad.length > 0)
  console.log("the reference server itself fails: what the mutants show is worth nothing until that is repaired");
process.exitCode = caught === verdicts.length && bad.length === 0 ? 0 : 1;
