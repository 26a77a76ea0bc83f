import { randomBytes } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import {
  type Case,
  type CaseResult,
  CaseResultSchema,
  CaseStatus,
  Need,
  type Ready,
  type Report,
  ReportSchema,
  Subject,
} from "@fanfare/proto/conformance/v1alpha";
import type { LoadedCase } from "../cases/load-suites.ts";
import { KnownFailures } from "../report/known-failing.ts";
import { describeFailure } from "../run/describe-failure.ts";
import { HarnessError } from "../run/failure.ts";
import type { RunOptions } from "../run/run-server-suite.ts";
import { runSteadily } from "../run/run-steadily.ts";
import { type PlannedCase, selectCases } from "../run/select-cases.ts";
import { Trace } from "../run/trace.ts";
import { AdapterProcess } from "./adapter-process.ts";
import { ClientCase } from "./client-case.ts";
import { runClientStep } from "./client-steps.ts";

/** A client under test. */
export interface ClientUnderTest {
  /** The shell command that starts its adapter. */
  readonly adapter: string;
  /** How long to wait for what has to come at once, in milliseconds. */
  readonly patienceMs: number;
}

/** Past this a case is given up: it hangs. */
const hardLimitMs = 90_000;

/** Runs the selected cases for clients, each with an adapter process of its own. */
export async function runClientSuite(
  all: readonly LoadedCase[],
  client: ClientUnderTest,
  options: RunOptions = {},
): Promise<Report> {
  const startedAtMs = Date.now();
  const { knownFailures = new KnownFailures([]), concurrency = 8 } = options;
  const planned = selectCases(all, Subject.CLIENT, { ...options.selection, forms: ["binary"] });
  let implementation = client.adapter;
  const run = ({ definition }: PlannedCase) =>
    runClientCase(definition, client, ({ client: name }) => {
      implementation = name;
    });
  const results = await runSteadily(planned, concurrency, run, (result) => {
    result.knownFailing = knownFailures.has(result.id);
    options.onResult?.(result);
  });
  const ids = all
    .filter(({ definition }) => definition.subject === Subject.CLIENT)
    .map(({ definition }) => definition.id);
  return create(ReportSchema, {
    version: 1,
    implementation,
    subject: Subject.CLIENT,
    startedAtMs: BigInt(startedAtMs),
    durationMs: Date.now() - startedAtMs,
    results,
    listProblems: knownFailures.problems(ids),
  });
}

async function runClientCase(one: Case, client: ClientUnderTest, onReady: (ready: Ready) => void): Promise<CaseResult> {
  const startedAtMs = performance.now();
  const { id, title, specs, level, profile } = one;
  const result = create(CaseResultSchema, { id, title, specs, level, profile, status: CaseStatus.PASS });
  const trace = new Trace();
  const running = new ClientCase(one, { trace, patienceMs: client.patienceMs, run: randomBytes(4).toString("hex") });
  try {
    await using adapter = await AdapterProcess.start({ command: client.adapter, trace, nextOrder: running.nextOrder });
    const ready = await adapter.ready;
    onReady(ready);
    const lacking =
      one.features.find((name) => !ready.features.includes(name)) ?? unknownVerb(one, ready) ?? unmetNeed(one, ready);
    if (lacking === undefined) await runSteps(running, adapter, result);
    else Object.assign(result, { status: CaseStatus.UNSUPPORTED, message: `the client has no ${lacking}` });
    if (result.status !== CaseStatus.PASS && adapter.errors !== "")
      trace.note("client", `standard error: ${adapter.errors}`);
  } catch (error) {
    describeFailure(error, result, one);
    result.trace = trace.entries();
  } finally {
    await running.end();
  }
  result.durationMs = Math.round(performance.now() - startedAtMs);
  return result;
}

function unknownVerb({ steps }: Case, { verbs }: Ready): string | undefined {
  const names = steps.flatMap(({ action }) => (action.case === "command" ? [action.value.do?.verb.case ?? ""] : []));
  const known = verbs.map((name) => name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase()));
  return names.find((name) => !known.includes(name));
}

function unmetNeed({ needs }: Case, { hidesHttpStatus }: Ready): string | undefined {
  return hidesHttpStatus && needs.includes(Need.HTTP_STATUS) ? "knowledge of HTTP statuses" : undefined;
}

async function runSteps(running: ClientCase, adapter: AdapterProcess, result: CaseResult): Promise<void> {
  await running.begin(adapter);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new HarnessError(`the case hangs: ${hardLimitMs} ms have passed`)),
    hardLimitMs,
  );
  try {
    for (const [i, step] of running.definition.steps.entries()) {
      result.step = i + 1;
      running.trace.note(step.on, `step ${i + 1}: ${step.action.case}`);
      await Promise.race([runClientStep(running, step), running.broken, late]);
    }
    await Promise.race([running.broken, Promise.resolve()]);
    result.step = 0;
  } finally {
    clearTimeout(timer);
  }
}
