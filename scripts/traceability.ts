import { loadSuites } from "../conformance/src/cases/load-suites.ts";
import { readRequirements } from "../conformance/src/cases/requirements.ts";
import { watchedOfClients } from "../conformance/src/client-rules/client-watcher.ts";
import { watchedOfServers } from "../conformance/src/rules/server-watcher.ts";
import { listProblems, traceRequirements } from "../conformance/src/traceability/coverage.ts";
import { gateProblems } from "../conformance/src/traceability/gate.ts";
import { countMusts, traceabilityPage } from "../conformance/src/traceability/table.ts";
import { readUntestable } from "../conformance/src/traceability/untestable.ts";
import { writeOrCheck } from "./generated-file.ts";

// Says which case proves which requirement; with --pending also which requirements have none. Fails for a MUST that has none and
// is not called untestable.
const gated = ["server", "client"] as const;
const requirements = readRequirements();
const sources = {
  requirements,
  cases: loadSuites(requirements).map(({ definition }) => definition),
  watched: { server: watchedOfServers, client: watchedOfClients },
  untestable: readUntestable(),
};
const traced = traceRequirements(sources);
for (const side of ["server", "client"] as const) {
  const { tested, untestable, pending } = countMusts(traced, side);
  console.log(`MUSTs of a ${side}: ${tested} tested, ${untestable} untestable, ${pending} pending`);
  if (!process.argv.includes("--pending")) continue;
  for (const { requirement, coverage, side: whose } of traced) {
    if (whose === side && coverage.kind === "pending") console.log(`  ${requirement.id} ${requirement.text}`);
  }
}
const problems = [
  ...listProblems(traced, sources).map((problem) => `conformance/requirements/${problem}`),
  ...gateProblems(traced, gated),
];
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
writeOrCheck([{ path: "docs/reference/traceability.md", content: traceabilityPage(traced) }], "npm run proto");
