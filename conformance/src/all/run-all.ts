import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { type ClientEntry, type Report, ReportSchema, Subject } from "@fanfare/proto/conformance/v1alpha";
import type { LoadedCase } from "../cases/load-suites.ts";
import { planClientCases, runClientSuite } from "../client-mode/run-client-suite.ts";
import { KnownFailures } from "../report/known-failing.ts";
import { type RunOptions, runServerSuite } from "../run/run-server-suite.ts";
import { type Selection, selectCases } from "../run/select-cases.ts";
import { machineSlots, type Slots } from "../run/slots.ts";
import { openEnvironment } from "../target/target-file.ts";
import type { Preparation } from "./prepare.ts";
import type { Progress } from "./progress.ts";
import { makeReady } from "./readiness.ts";
import type { LoadedConfig, LoadedServer } from "./run-config.ts";

const defaultWeight = { server: 1, client: 2 } as const;

/** How a run over several implementations goes. */
export interface RunAllOptions {
  readonly selection: Selection;
  readonly progress: Progress;
  /** Nothing may be left out for want of a program. */
  readonly isStrict: boolean;
}

/** How implementations are held against their own cases. */
export interface AllOptions extends RunAllOptions {
  /** How long to wait for what a client has to do at once, in milliseconds. */
  readonly patienceMs: number;
}

/** Holds every implementation of a configuration against the protocol, side by side. What could not be run is a report with that problem. */
export async function runAll(all: readonly LoadedCase[], config: LoadedConfig, options: AllOptions): Promise<Report[]> {
  const slots = machineSlots();
  const { servers, clients, folder } = config;
  const entries: Entry[] = [
    ...servers.map((server) => ({
      ...{ name: server.name, subject: Subject.SERVER, preparation: server.entry },
      run: () => runServer(all, server, slots, options),
    })),
    ...clients.map((client) => ({
      ...{ name: client.name, subject: Subject.CLIENT, preparation: client },
      run: () => runClient(all, client, folder, slots, options),
    })),
  ];
  const reports = await Promise.all(
    entries.map(async (entry) => {
      const report = await attempt(entry, folder, options);
      if (report !== undefined) options.progress.finished(report);
      return report;
    }),
  );
  return reports.filter((report) => report !== undefined);
}

interface Entry {
  readonly name: string;
  readonly subject: Subject;
  readonly preparation: Preparation;
  readonly run: () => Promise<Report>;
}

/** The report of one implementation; undefined if it is left out. */
async function attempt(entry: Entry, folder: string, options: AllOptions): Promise<Report | undefined> {
  const { name, subject, preparation } = entry;
  const startedAtMs = Date.now();
  const failed = (problem: string) =>
    create(ReportSchema, {
      ...{ version: 1, implementation: name, subject, startedAtMs: BigInt(startedAtMs) },
      ...{ durationMs: Date.now() - startedAtMs, listProblems: [`${name} could not be run: ${problem}`] },
    });
  const readiness = await makeReady(name, preparation, { folder, ...options });
  if (readiness === "left out") return undefined;
  if (readiness !== "ready") return failed(readiness.problem);
  try {
    return await entry.run();
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error));
  }
}

async function runServer(
  all: readonly LoadedCase[],
  { name, entry, target }: LoadedServer,
  slots: Slots,
  options: AllOptions,
): Promise<Report> {
  await using environment = await openEnvironment(target);
  const { knownFailing } = target.target;
  const planned = selectCases(all, Subject.SERVER, options.selection).length;
  const list = knownFailing === "" ? undefined : join(target.folder, knownFailing);
  const weight = entry.weight || defaultWeight.server;
  return await runServerSuite(all, environment, runOptions({ name, planned, list, weight }, slots, options));
}

async function runClient(
  all: readonly LoadedCase[],
  { name, adapter, knownFailing, weight }: ClientEntry,
  folder: string,
  slots: Slots,
  options: AllOptions,
): Promise<Report> {
  const planned = planClientCases(all, options.selection).length;
  const list = knownFailing === "" ? undefined : join(folder, knownFailing);
  const client = { adapter: inFolder(adapter, folder), patienceMs: options.patienceMs };
  const plan = { name, planned, list, weight: weight || defaultWeight.client };
  const report = await runClientSuite(all, client, runOptions(plan, slots, options));
  report.implementation = name;
  return report;
}

function runOptions(
  { name, planned, list, weight }: { name: string; planned: number; list: string | undefined; weight: number },
  slots: Slots,
  { selection, progress }: AllOptions,
): RunOptions {
  progress.began(name, planned);
  return {
    selection,
    slots: { of: slots, weight },
    ...(list === undefined ? {} : { knownFailures: KnownFailures.read(list) }),
    onResult: (result) => progress.ended(name, result),
  };
}

/** A shell command as it runs in a folder. */
export function inFolder(command: string, folder: string): string {
  return `cd '${folder.replaceAll("'", "'\\''")}' && ${command}`;
}
