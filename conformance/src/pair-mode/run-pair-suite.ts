import { randomBytes } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import {
  type Case,
  type CaseResult,
  CaseResultSchema,
  CaseStatus,
  Need,
  type Report,
  ReportSchema,
  Subject,
} from "@fanfare/proto/conformance/v1alpha";
import type { LoadedCase } from "../cases/load-suites.ts";
import type { OpenAdapter } from "../client-mode/client-adapter.ts";
import { missingClaim } from "../client-mode/missing-claim.ts";
import { KnownFailures } from "../report/known-failing.ts";
import { describeFailure } from "../run/describe-failure.ts";
import { HarnessError } from "../run/failure.ts";
import { startOwn, unsupportedBy } from "../run/run-server-case.ts";
import type { RunOptions } from "../run/run-server-suite.ts";
import { runSteadily } from "../run/run-steadily.ts";
import { type PlannedCase, type Selection, selectCases } from "../run/select-cases.ts";
import { Trace } from "../run/trace.ts";
import type { ServerEnvironment, ServerHandle } from "../target/environment.ts";
import { PairCase } from "./pair-case.ts";
import { runPairStep } from "./pair-steps.ts";

/** A client with a server. */
export interface Pair {
  /** The client's name in reports. */
  readonly client: string;
  readonly open: OpenAdapter;
  readonly environment: ServerEnvironment;
}

/** Past this a case is given up: it hangs. */
const hardLimitMs = 60_000;

/** The cases for pairs that a selection names. */
export function planPairCases(all: readonly LoadedCase[], selection: Selection = {}): PlannedCase[] {
  return selectCases(all, Subject.PAIR, { ...selection, forms: ["binary"] });
}

/** Runs the selected cases with a client and a server, side by side. */
export async function runPairSuite(all: readonly LoadedCase[], pair: Pair, options: RunOptions = {}): Promise<Report> {
  const startedAtMs = Date.now();
  const { knownFailures = new KnownFailures([]), concurrency = 4, slots } = options;
  const run = ({ definition }: PlannedCase) => runPairCase(definition, pair);
  const planned = planPairCases(all, options.selection);
  const results = await runSteadily(planned, { concurrency, slots }, run, (result) => {
    result.knownFailing = knownFailures.has(result.id);
    options.onResult?.(result);
  });
  const ids = planPairCases(all).map(({ definition }) => definition.id);
  return create(ReportSchema, {
    version: 1,
    implementation: pair.client,
    peer: pair.environment.name,
    subject: Subject.PAIR,
    startedAtMs: BigInt(startedAtMs),
    durationMs: Date.now() - startedAtMs,
    results,
    listProblems: knownFailures.problems(ids),
  });
}

/** Runs one case. Never rejects: what went wrong is in the result. */
async function runPairCase(one: Case, { open, environment }: Pair): Promise<CaseResult> {
  const startedAtMs = performance.now();
  const { id, title, specs, level, profile } = one;
  const result = create(CaseResultSchema, { id, title, specs, level, profile, status: CaseStatus.PASS });
  const unsupported = unsupportedBy(one, "binary", environment);
  if (unsupported !== undefined) {
    return Object.assign(result, { status: CaseStatus.UNSUPPORTED, message: `of the server, ${unsupported}` });
  }
  const trace = new Trace();
  try {
    if (one.needs.includes(Need.DISPOSABLE) || one.needs.includes(Need.MOVE)) {
      await using server = await startOwn(environment);
      await runSteps(one, { open, environment, server, trace }, result);
    } else await runSteps(one, { open, environment, server: environment.shared, trace }, result);
  } catch (error) {
    describeFailure(error, result, one);
    result.trace = trace.entries();
  }
  result.durationMs = Math.round(performance.now() - startedAtMs);
  return result;
}

interface Stage {
  readonly open: OpenAdapter;
  readonly environment: ServerEnvironment;
  readonly server: ServerHandle;
  readonly trace: Trace;
}

async function runSteps(definition: Case, stage: Stage, result: CaseResult): Promise<void> {
  await using running = new PairCase({ definition, ...stage, run: randomBytes(4).toString("hex") });
  await running.begin();
  for (const { adapter } of running.actors) {
    const lacking = missingClaim(definition, "binary", await adapter.ready);
    if (lacking === undefined) continue;
    return void Object.assign(result, { status: CaseStatus.UNSUPPORTED, message: `the client has no ${lacking}` });
  }
  const { promise: late, reject } = Promise.withResolvers<never>();
  const hangs = () => reject(new HarnessError(`the case hangs: ${hardLimitMs} ms have passed`));
  const timer = setTimeout(hangs, hardLimitMs);
  try {
    for (const [i, step] of definition.steps.entries()) {
      result.step = i + 1;
      running.trace.note(step.on, `step ${i + 1}: ${step.action.case}`);
      await Promise.race([runPairStep(running, step), running.broken, late]);
    }
    await Promise.race([running.broken, Promise.resolve()]);
    result.step = 0;
  } finally {
    clearTimeout(timer);
  }
}
