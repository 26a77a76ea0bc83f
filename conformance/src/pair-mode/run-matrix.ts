import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { type ClientEntry, type Report, ReportSchema, Subject } from "@fanfare/proto/conformance/v1alpha";
import { makeReady } from "../all/readiness.ts";
import { inFolder, type RunAllOptions } from "../all/run-all.ts";
import type { LoadedConfig, LoadedServer } from "../all/run-config.ts";
import type { LoadedCase } from "../cases/load-suites.ts";
import { AdapterPool } from "../client-mode/adapter-pool.ts";
import { KnownFailures } from "../report/known-failing.ts";
import { reportName } from "../report/report-name.ts";
import { machineSlots, type Slots } from "../run/slots.ts";
import type { ServerEnvironment } from "../target/environment.ts";
import { openEnvironment } from "../target/target-file.ts";
import { planPairCases, runPairSuite } from "./run-pair-suite.ts";

/** What a client's adapter takes of the machine, unless its entry says otherwise, and what a case has beside its clients. */
const defaultWeight = 2;
const clientsOfCase = 2;
const caseWeight = 1;

/** An implementation that takes part: how to reach it, or why that is not possible. */
type Part<T> = { readonly name: string; readonly value: T } | { readonly name: string; readonly problem: string };

/** Plays every client with every server of a configuration. What could not be run is a report with that problem. */
export async function runMatrix(
  all: readonly LoadedCase[],
  config: LoadedConfig,
  options: RunAllOptions,
): Promise<Report[]> {
  const opened: AsyncDisposable[] = [];
  try {
    return await runPairs(all, config, options, opened);
  } finally {
    for (const one of opened.reverse()) await one[Symbol.asyncDispose]();
  }
}

/** @param opened takes what has to be closed at the end */
async function runPairs(
  all: readonly LoadedCase[],
  config: LoadedConfig,
  options: RunAllOptions,
  opened: AsyncDisposable[],
): Promise<Report[]> {
  const { folder } = config;
  const ready = { folder, ...options };
  const kept = <T extends AsyncDisposable>(one: T): T => {
    opened.push(one);
    return one;
  };
  const servers = await parts(config.servers, async ({ name, entry, target }: LoadedServer) => {
    const readiness = await makeReady(name, entry, ready);
    return readiness === "ready" ? kept(await openEnvironment(target)) : readiness;
  });
  const clients = await parts(config.clients, async (entry: ClientEntry) => {
    const readiness = await makeReady(entry.name, entry, ready);
    const command = inFolder(entry.pairAdapter || entry.adapter, folder);
    return readiness === "ready" ? { entry, pool: kept(new AdapterPool(command)) } : readiness;
  });
  const slots = machineSlots();
  const pairs = clients.flatMap((client) => servers.map((server) => ({ client, server })));
  return await Promise.all(
    pairs.map(async ({ client, server }) => {
      const report = await runPair(all, { client, server, config, slots }, options);
      options.progress.finished(report);
      return report;
    }),
  );
}

interface Match {
  readonly client: Part<{ readonly entry: ClientEntry; readonly pool: AdapterPool }>;
  readonly server: Part<ServerEnvironment>;
  readonly config: LoadedConfig;
  readonly slots: Slots;
}

async function runPair(all: readonly LoadedCase[], match: Match, options: RunAllOptions): Promise<Report> {
  const { client, server, config, slots } = match;
  const names = { version: 1, implementation: client.name, peer: server.name, subject: Subject.PAIR };
  const startedAtMs = BigInt(Date.now());
  if ("problem" in client || "problem" in server) {
    const listProblems = [client, server].flatMap((one) =>
      "problem" in one ? [`${one.name} could not be run: ${one.problem}`] : [],
    );
    return create(ReportSchema, { ...names, startedAtMs, listProblems });
  }
  const { entry, pool } = client.value;
  const list = config.pairs.find((one) => one.client === client.name && one.server === server.name)?.knownFailing;
  const name = reportName(create(ReportSchema, names));
  const { selection, progress } = options;
  progress.began(name, planPairCases(all, selection).length);
  const pair = { client: client.name, open: pool.open.bind(pool), environment: server.value };
  return runPairSuite(all, pair, {
    selection,
    slots: { of: slots, weight: clientsOfCase * (entry.weight || defaultWeight) + caseWeight },
    ...(list ? { knownFailures: KnownFailures.read(join(config.folder, list)) } : {}),
    onResult: (result) => progress.ended(name, result),
  });
}

/** Makes implementations ready, one after the other; leaves out those that this machine cannot run. */
async function parts<E extends { readonly name: string }, T>(
  entries: readonly E[],
  open: (entry: E) => Promise<T | "left out" | { readonly problem: string }>,
): Promise<Part<T>[]> {
  const found: Part<T>[] = [];
  for (const entry of entries) {
    const { name } = entry;
    try {
      const value = await open(entry);
      if (value === "left out") continue;
      found.push(isProblem(value) ? { name, ...value } : { name, value: value as T });
    } catch (error) {
      found.push({ name, problem: error instanceof Error ? error.message : String(error) });
    }
  }
  return found;
}

function isProblem(value: unknown): value is { readonly problem: string } {
  return typeof value === "object" && value !== null && "problem" in value;
}
