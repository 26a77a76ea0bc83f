import { randomBytes } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import {
  type CaseResult,
  CaseResultSchema,
  CaseStatus,
  Profile,
  type Ready,
  type Report,
  ReportSchema,
  Subject,
} from "@fanfare/proto/conformance/v1alpha";
import type { LoadedCase } from "../cases/load-suites.ts";
import { KnownFailures } from "../report/known-failing.ts";
import { describeFailure } from "../run/describe-failure.ts";
import { CaseFailure, HarnessError } from "../run/failure.ts";
import type { RunOptions } from "../run/run-server-suite.ts";
import { runSteadily } from "../run/run-steadily.ts";
import { type PlannedCase, type Selection, selectCases } from "../run/select-cases.ts";
import { Trace } from "../run/trace.ts";
import { AdapterPool } from "./adapter-pool.ts";
import type { ClientAdapter, OpenAdapter } from "./client-adapter.ts";
import { ClientCase } from "./client-case.ts";
import { runClientStep } from "./client-steps.ts";
import { missingClaim } from "./missing-claim.ts";

/** A client under test. */
export interface ClientUnderTest {
  /** The shell command that starts its adapter, or what opens one in this process. */
  readonly adapter: string | OpenAdapter;
  /** How long to wait for what has to come at once, in milliseconds. */
  readonly patienceMs: number;
}

/** Past this a case is given up: it hangs. */
const hardLimitMs = 90_000;

/**
 * Runs the selected cases for clients, each with an adapter of its own. In JSON run those of the profile JSON, and all that have the form if it
 * is asked for.
 */
export async function runClientSuite(
  all: readonly LoadedCase[],
  client: ClientUnderTest,
  options: RunOptions = {},
): Promise<Report> {
  const startedAtMs = Date.now();
  const { knownFailures = new KnownFailures([]), concurrency = 8, slots } = options;
  const planned = planClientCases(all, options.selection);
  let implementation = typeof client.adapter === "string" ? client.adapter : "a client in this process";
  await using pool = typeof client.adapter === "string" ? new AdapterPool(client.adapter) : undefined;
  const open: OpenAdapter = pool === undefined ? (client.adapter as OpenAdapter) : (context) => pool.open(context);
  const { patienceMs } = client;
  const run = (one: PlannedCase) =>
    runClientCase(one, { open, patienceMs }, ({ client: name }) => {
      implementation = name;
    });
  const results = await runSteadily(planned, { concurrency, slots }, run, (result) => {
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

/** The cases for clients that a selection names, each in the forms in which it is run. */
export function planClientCases(all: readonly LoadedCase[], selection: Selection = {}): PlannedCase[] {
  const isAsked = selection.forms?.includes("json") || selection.profiles?.includes(Profile.JSON);
  return selectCases(all, Subject.CLIENT, selection).filter(
    ({ definition, form }) => form === "binary" || definition.profile === Profile.JSON || isAsked,
  );
}

/** Runs one case. Never rejects. */
export async function runClientCase(
  { definition: one, form }: PlannedCase,
  { open, patienceMs }: { readonly open: OpenAdapter; readonly patienceMs: number },
  onReady: (ready: Ready) => void = () => {},
): Promise<CaseResult> {
  const startedAtMs = performance.now();
  const { title, specs, level, profile } = one;
  const isAgain = form === "json" && profile !== Profile.JSON;
  const named = isAgain ? { id: `${one.id}#json`, profile: Profile.JSON } : { id: one.id, profile };
  const result = create(CaseResultSchema, { ...named, title, specs, level, status: CaseStatus.PASS });
  const trace = new Trace();
  const running = new ClientCase(one, { form, trace, patienceMs, run: randomBytes(4).toString("hex") });
  try {
    const { nextOrder } = running;
    await using adapter = await open({ trace, nextOrder });
    const ready = await adapter.ready;
    onReady(ready);
    const isFrozen = one.steps.some(({ action }) => action.case === "freeze");
    const lacking =
      missingClaim(one, form, ready) ??
      (isFrozen && adapter.freeze === undefined ? "process of its own that can be stopped" : undefined);
    try {
      if (lacking === undefined) await runSteps(running, adapter, result);
      else Object.assign(result, { status: CaseStatus.UNSUPPORTED, message: `the client has no ${lacking}` });
    } finally {
      if (isFrozen) adapter.freeze?.(false);
      if (adapter.errors !== "") trace.note("client", `standard error: ${adapter.errors}`);
      await running.end(); // before the adapter, which may serve another case then
    }
  } catch (error) {
    describeFailure(error, result, one);
    result.trace = trace.entries();
  }
  result.durationMs = Math.round(performance.now() - startedAtMs);
  return result;
}

async function runSteps(running: ClientCase, adapter: ClientAdapter, result: CaseResult): Promise<void> {
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
    await Promise.race([running.settled(), running.broken, late]);
    result.step = 0;
    keepsSecrets(running, adapter);
  } finally {
    clearTimeout(timer);
  }
}

/** What a client says of itself is read by people, and kept. */
function keepsSecrets({ history }: ClientCase, { reports, errors }: ClientAdapter): void {
  const said = `${errors} ${JSON.stringify(reports.items.map(({ json }) => json))}`;
  if (![...history.secrets].some((secret) => said.includes(secret))) return;
  throw new CaseFailure("a token or a resume secret stands in what the client reports or writes", "FF-SC-003");
}
