import { mkdirSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { findTool, missing } from "../../test/require-tool.ts";
import { refuseUsage, scriptArguments } from "../script-options.ts";
import { Balancer } from "./balanced-sockets.ts";
import { Crowd } from "./crowd.ts";
import { judgeElsewhere } from "./elsewhere.ts";
import { FaultWindows } from "./fault-windows.ts";
import { judge } from "./ledger.ts";
import { type Failed, type Judged, printTables, type Result } from "./report.ts";
import type { Ground, Scenario } from "./scenario.ts";
import { scenarios } from "./scenarios.ts";
import { Stage } from "./stage.ts";
import { untilWarm } from "./until-warm.ts";
import { brokenBounds } from "./verdict.ts";

const list = Object.entries(scenarios).map(([name, { title }]) => `  ${name.padEnd(20)}${title}`);
const help = `npm run chaos -- [scenario ...] [options]

Starts a Valkey cluster of three primaries and three replicas, three Fanfare nodes and a few hundred clients that talk to each other by
unicast, group and broadcast, live and durable; does something terrible to it; and says what the clients noticed. Exits with 1 past the
bounds. All scenarios by default:

${list.join("\n")}

  --short            one fault of each kind, on one set of servers as long as nothing breaks, as CI does
  --clients <n>      300 by default
  --rate <n>         messages a second, of all together; 150 by default; slow-subscriber looks for the highest itself
  --json             print the figures alone, as JSON; with npm run -s, or npm prints lines of its own before
  --logs <folder>    write what the nodes logged there
  --help             print this

npm run chaos -- kill-primary
npm run -s chaos -- --short --json > chaos.json`;

const { values, positionals } = scriptArguments(help, {
  short: { type: "boolean" },
  clients: { type: "number", min: 12, max: 100_000, default: 300 },
  rate: { type: "number", max: 100_000 },
  json: { type: "boolean" },
  logs: { type: "string" },
});
const { clients, rate = 150 } = values;
const wrong = positionals.find((name) => !(name in scenarios));
if (wrong !== undefined) refuseUsage(`There is no scenario ${wrong}.`);
if (findTool("valkey-server") === undefined) {
  console.error(missing("valkey-server"));
  process.exit(1);
}
const names = positionals.length === 0 ? Object.keys(scenarios) : positionals;
if (values.logs !== undefined) mkdirSync(values.logs, { recursive: true });
const say = (text: string): void => console.error(`  ${text}`);

async function runScenario(name: string, scenario: Scenario, stage: Stage): Promise<Judged> {
  const { valkey, nodes, way } = stage;
  const own = scenario.crowd?.(clients);
  if (own?.rate !== undefined && values.rate !== undefined)
    say(`--rate is not for ${name}, which begins with ${own.rate}`);
  const size = { clients, groups: 20, durableGroups: 10, broadcastEvery: 50, rate, ...own };
  await using crowd = await Crowd.open({ ...size, balancer: new Balancer(() => stage.urls) });
  say(`${crowd.size} clients on ${nodes.length} nodes`);
  crowd.start();
  const warmAtMs = await untilWarm(crowd);
  crowd.outages.forgetOver();
  const faults = new FaultWindows();
  const measured = await scenario.run({ valkey, nodes, way, crowd, faults, say, isShort: values.short });
  await pause(2_000);
  await crowd.stop(90_000, () => judge(crowd.sent, crowd.seen, true).lost === 0);
  const isFaulty = (fromMs: number, toMs: number) => faults.overlaps(fromMs, toMs);
  const circumstances = {
    isFaulty,
    faultOverMs: (fromMs: number, toMs: number) => faults.overMs(fromMs, toMs),
    nextFaultMs: (afterMs: number) => faults.nextMs(afterMs),
    mendedMs: (fromMs: number, toMs: number) => faults.mendedMs(fromMs, toMs),
    warmAtMs,
  };
  const outcome = {
    scenario: name,
    live: judge(crowd.sent, crowd.seen, false, circumstances),
    durable: judge(crowd.sent, crowd.seen, true, circumstances),
    elsewhere: judgeElsewhere(crowd.sent, crowd.seen, crowd.whereabouts, faults.strikes),
    connectP99Ms: faults.p99Ms(crowd.connects),
    subscribeP99Ms: faults.p99Ms(crowd.subscribes),
    failedConnects: crowd.newcomers.failed,
    heldBackNewcomers: crowd.newcomers.heldBack,
    longestOutageMs: Math.round(crowd.outages.longestMs(performance.now())),
    disconnected: crowd.size - crowd.connected,
    lostSessions: crowd.lostSessions,
    failures: Object.fromEntries(crowd.failures),
    nodeEnds: nodes.flatMap(({ unexpectedEnds }) => unexpectedEnds),
    ...measured,
  };
  return { ...outcome, broken: brokenBounds(outcome, scenario.bounds) };
}

/** Runs a scenario, also one that throws: of that nothing is known but the error. */
async function result(name: string, scenario: Scenario, stage: Stage): Promise<Result> {
  const logged = stage.nodes.map(({ text }) => text.length);
  try {
    return await runScenario(name, scenario, stage);
  } catch (reason) {
    return failed(name, reason);
  } finally {
    for (const [i, { nodeId, text }] of stage.nodes.entries()) {
      if (values.logs !== undefined) writeFileSync(`${values.logs}/${name}-${nodeId}.log`, text.slice(logged[i]));
    }
  }
}

function failed(scenario: string, reason: unknown): Failed {
  const error = reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
  return { scenario, error, broken: [`it did not come to its end: ${error}`] };
}

/** Says what may interest whoever looks for the reason. */
function describe({ broken, live, durable, elsewhere, failures }: Judged): void {
  for (const [reason, count] of Object.entries(failures)) say(`failed or unknown, ${count} times: ${reason}`);
  const atOf = (ms: number) => new Date(performance.timeOrigin + ms).toISOString().slice(11, 23);
  for (const { slowest } of [live, durable]) {
    if (slowest !== undefined) say(`slowest, sent at ${atOf(slowest.sentAtMs)}: ${JSON.stringify(slowest)}`);
  }
  for (const { sentAtMs, ...one } of durable.refusals) {
    say(`durable and not stored, sent at ${atOf(sentAtMs)}: ${JSON.stringify(one)}`);
  }
  for (const { atMs, ...gap } of [...(broken.length > 0 ? live.toldGaps : []), ...durable.toldGaps]) {
    say(`gap, told at ${atOf(atMs)}: ${JSON.stringify(gap)}`);
  }
  for (const example of broken.length > 0 ? elsewhere.examples : []) {
    say(`between other nodes: ${JSON.stringify(example)}`);
  }
  for (const loss of [...live.losses, ...durable.losses])
    say(`lost, sent at ${atOf(loss.sentAtMs)}: ${JSON.stringify(loss)}`);
}

const results: Result[] = [];
const startedMs = performance.now();
/** The servers of the scenarios before, if they may be used again, and whether something was done to single nodes of them. */
let kept: { stage: Stage; on: Ground; isStruck: boolean } | undefined;
const dispose = async () => {
  const stage = kept?.stage;
  kept = undefined;
  await stage?.[Symbol.asyncDispose]();
};
for (const [i, name] of names.entries()) {
  const scenario = scenarios[name] as Scenario;
  const { on = "cluster" } = scenario;
  const times = names.slice(0, i).filter((one) => one === name).length;
  const label = times === 0 ? name : `${name}-${times + 1}`;
  console.error(`${label}: ${scenario.title}`);
  let one: Result | undefined;
  try {
    // For as long as sessions may resume, whoever moves after a node has died is told of a gap, and has missed nothing.
    if (kept?.on !== on || (kept.isStruck && scenario.bounds.liveIsWhole)) await dispose();
    kept ??= { stage: await Stage.open(on), on, isStruck: false };
    one = await result(label, scenario, kept.stage);
    kept.isStruck ||= "live" in one && one.elsewhere.due > 0;
    // What is broken would blur the next verdict.
    if (!values.short || one.broken.length > 0) await dispose();
  } catch (reason) {
    // Servers that cannot be started, or ended, take no figures with them.
    const { broken, error } = failed(label, reason);
    one = { ...(one ?? { scenario: label, error }), broken: [...(one?.broken ?? []), ...broken] };
  }
  results.push(one);
  for (const text of one.broken) console.error(`  BROKEN ${text}`);
  if (!("error" in one)) describe(one);
}
process.exitCode = results.every(({ broken }) => broken.length === 0) ? 0 : 1;
if (values.json) console.log(JSON.stringify(results, null, 2));
else printTables(results);
const count = results.length === 1 ? "1 scenario" : `${results.length} scenarios`;
say(`${count} took ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
await dispose();
