import { create } from "@bufbuild/protobuf";
import { type CaseResult, type Report, ReportSchema, Subject } from "@fanfare/proto/conformance/v1alpha";
import type { LoadedCase } from "../cases/load-suites.ts";
import { KnownFailures } from "../report/known-failing.ts";
import type { ServerEnvironment } from "../target/environment.ts";
import { runServerCase } from "./run-server-case.ts";
import { type Pace, runSteadily } from "./run-steadily.ts";
import { type PlannedCase, type Selection, selectCases } from "./select-cases.ts";

/** How cases are run. */
export interface RunOptions {
  readonly selection?: Selection;
  readonly knownFailures?: KnownFailures;
  /** Cases side by side. Default: 16, which mostly wait. */
  readonly concurrency?: number;
  /** Where the machine is shared. */
  readonly slots?: Pace["slots"];
  /** Called at the end of each case. */
  readonly onResult?: (result: CaseResult) => void;
}

/** Runs the selected cases for servers side by side. */
export async function runServerSuite(
  all: readonly LoadedCase[],
  environment: ServerEnvironment,
  options: RunOptions = {},
): Promise<Report> {
  const startedAtMs = Date.now();
  const { knownFailures = new KnownFailures([]), concurrency = 16, slots } = options;
  const every = selectCases(all, Subject.SERVER, {});
  const planned = selectCases(all, Subject.SERVER, options.selection ?? {});
  const run = ({ definition, form }: PlannedCase) => runServerCase(definition, form, environment);
  const results = await runSteadily(planned, { concurrency, slots }, run, (result) => {
    result.knownFailing = knownFailures.has(result.id);
    options.onResult?.(result);
  });
  const ids = every.flatMap(({ definition, form }) =>
    form === "json" ? [`${definition.id}#json`, definition.id] : [definition.id],
  );
  return create(ReportSchema, {
    version: 1,
    implementation: environment.name,
    subject: Subject.SERVER,
    startedAtMs: BigInt(startedAtMs),
    durationMs: Date.now() - startedAtMs,
    results,
    listProblems: knownFailures.problems(ids),
  });
}
