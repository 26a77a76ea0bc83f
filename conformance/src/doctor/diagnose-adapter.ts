import { readFileSync } from "node:fs";
import { CaseStatus, ClientCommandSchema, type ClientReport, type Ready } from "@fanfare/proto/conformance/v1alpha";
import { readSuite } from "../cases/load-suites.ts";
import { suggestion } from "../cases/nearest-name.ts";
import { readRequirements } from "../cases/requirements.ts";
import { AdapterPool } from "../client-mode/adapter-pool.ts";
import { runClientCase } from "../client-mode/run-client-suite.ts";
import { AdapterProbe } from "./adapter-probe.ts";
import { type Finding, remedyOf } from "./finding.ts";
import { firstReport } from "./first-report.ts";

const suite = new URL("../../doctor/client.yaml", import.meta.url);

/** How long an adapter may take, in milliseconds. */
export interface AdapterPatience {
  /** To report that it is ready. Default: 20,000. */
  readonly startMs?: number;
  /** To end when its input has ended. Default: 2,000. */
  readonly endMs?: number;
  /** To do what has to be done at once. Default: 5,000. */
  readonly patienceMs?: number;
}

/** Checks an adapter from its start on, and stops at the first thing that is wrong. */
export async function* diagnoseAdapter(adapter: string, patience: AdapterPatience = {}): AsyncGenerator<Finding> {
  const { startMs = 20_000, endMs = 2_000, patienceMs = 5_000 } = patience;
  await using probe = new AdapterProbe(adapter);
  const isSettled = () => firstReport(probe.output).kind !== "unfinished";
  await probe.until(() => probe.output.length > 0, startMs);
  const starts = { name: "the program starts, and writes to its standard output" };
  if (probe.output.length === 0) return yield { ...starts, ...silence(probe, startMs) };
  yield starts;

  await probe.until(isSettled, patienceMs);
  const first = firstReport(probe.output);
  const frames = { name: "what it writes first is a report, in a form that adapter.proto knows" };
  if (first.kind !== "report") {
    const end = probe.end === undefined ? "" : `; then it ${probe.end}${quoted(probe.errors)}`;
    return yield { ...frames, problem: `${first.problem}${end}`, remedy: first.remedy };
  }
  yield { name: `${frames.name}: ${first.form}` };

  const ready = checkReady(first.report);
  yield ready;
  if (ready.problem !== undefined) return;

  for await (const finding of diagnoseClient(adapter, patienceMs)) {
    yield finding;
    if (finding.problem !== undefined) return;
  }

  probe.endInput();
  const ends = { name: "it ends when its standard input ends" };
  if (await probe.until(() => probe.end !== undefined, endMs)) return yield ends;
  yield {
    ...ends,
    problem: `it still ran ${endMs} ms later`,
    remedy: "End the program when reading standard input says that there is no more, whatever the client is doing.",
  };
}

/** Checks what the client does, from its first connection on. */
async function* diagnoseClient(adapter: string, patienceMs: number): AsyncGenerator<Finding> {
  const requirements = readRequirements();
  await using pool = new AdapterPool(adapter);
  for (const definition of readSuite("doctor/client.yaml", readFileSync(suite, "utf8"), requirements)) {
    const open = pool.open.bind(pool);
    const result = await runClientCase({ definition, form: "binary" }, { open, patienceMs });
    if (result.status === CaseStatus.UNSUPPORTED) continue;
    if (result.status !== CaseStatus.PASS) {
      const remedy = remedyOf(result, definition, requirements);
      return yield { name: definition.title, problem: result.message, remedy };
    }
    yield { name: definition.title };
  }
}

function silence({ end, errors }: AdapterProbe, startMs: number): Omit<Finding, "name"> {
  if (end === undefined) {
    const problem = `it wrote nothing in ${startMs} ms${quoted(errors)}`;
    return { problem, remedy: "Write the report `ready` before anything is read, and flush standard output." };
  }
  const remedy = /127|could not/.test(end)
    ? "The shell finds no such program: check its name, its path, and that it may be executed."
    : "Run the command by hand: it has to write its first report and then wait for commands on standard input.";
  return { problem: `it ${end} before it wrote anything${quoted(errors)}`, remedy };
}

function quoted(errors: string): string {
  return errors.trim() === "" ? "" : `. On standard error: ${errors.trim().slice(-600)}`;
}

const verbNames: readonly string[] = ClientCommandSchema.oneofs.flatMap(({ fields }) => fields.map(({ name }) => name));

function checkReady({ report }: ClientReport): Finding {
  const name = "the first report is `ready`, and names what the client can do";
  if (report.case !== "ready") {
    const problem = `it is ${report.case ?? "empty"}`;
    return { name, problem, remedy: "Report `ready` first, and only once." };
  }
  const problem = readyProblem(report.value);
  if (problem !== undefined) return { name, ...problem };
  const { client, features, verbs } = report.value;
  const claims = features.length === 0 ? "no features" : features.join(", ");
  return { name: `${name}: ${client}; verbs ${verbs.join(", ")}; features ${claims}` };
}

function readyProblem({ client, verbs }: Ready): Omit<Finding, "name"> | undefined {
  if (client === "") return { problem: "ready.client is empty", remedy: "Name the client there: reports show it." };
  const unknown = verbs.find((one) => !verbNames.includes(one));
  if (unknown !== undefined) {
    const problem = `ready.verbs names ${unknown}, which is no verb${suggestion(unknown, verbNames)}`;
    return { problem, remedy: `There are ${verbNames.join(", ")}.` };
  }
  const lacking = ["connect", "close"].find((one) => !verbs.includes(one));
  if (lacking === undefined) return undefined;
  return { problem: `ready.verbs lacks ${lacking}`, remedy: "Every adapter has at least connect and close." };
}
