import { mkdirSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { refuseUsage, scriptArguments } from "../script-options.ts";
import { Balancer } from "./balanced-sockets.ts";
import { Crowd } from "./crowd.ts";
import { judgeElsewhere } from "./elsewhere.ts";
import { FaultWindows } from "./fault-windows.ts";
import { judge } from "./ledger.ts";
import { type Judged, printTables } from "./report.ts";
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
  --rate <n>         messages a second, of all together; 150 by default
  --json             print the figures alone, as JSON; with npm run -s, or npm prints lines of its own before
  --logs <folder>    write what the nodes logged there
  --help             print this

npm run chaos -- kill-primary
npm run -s chaos -- --short --json > chaos.json`;

const { values, positionals } = scriptArguments(help, {
  short: { type: "boolean" },
  clients: { type: "number", min: 12, max: 100_000, default: 300 },
  rate: { type: "number", max: 100_000, default: 150 },
  json: { type: "boolean" },
  logs: { type: "string" },
});
const { clients, rate } = values;
const wrong = positionals.find((name) => !(name in scenarios));
if (wrong !== undefined) refuseUsage(`There is no scenario ${wrong}.`);
if (values.logs !== undefined) mkdirSync(values.logs, { recursive: true });
const say = (text: string): void => console.error(`  ${text}`);

async function runScenario(name: string, scenario: Scenario, stage: Stage): Promise<Judged> {
  const { valkey, nodes, way } = stage;
  const size = { clients, groups: 20, durableGroups: 10, broadcastEvery: 50, rate, ...scenario.crowd?.(clients) };
  await using crowd = await Crowd.open({ ...size, balancer: new Balancer(() => stage.urls) });
  say(`${crowd.size} clients on ${nodes.length} nodes`);
  const logged = nodes.map(({ text }) => text.length);
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
    failedConnects: crowd.failedProbes,
    longestOutageMs: Math.round(crowd.outages.longestMs(performance.now())),
    disconnected: crowd.size - crowd.connected,
    lostSessions: crowd.lostSessions,
    failures: Object.fromEntries(crowd.failures),
    ...measured,
  };
  if (values.logs !== undefined) {
    for (const [i, { nodeId, text }] of nodes.entries()) {
      writeFileSync(`${values.logs}/${name}-${nodeId}.log`, text.slice(logged[i]));
    }
  }
  return { ...outcome, broken: brokenBounds(outcome, scenario.bounds) };
}

const outcomes: Judged[] = [];
const startedMs = performance.now();
/** The servers of the scenario before, if they may be used again. */
let kept: { stage: Stage; on: Ground } | undefined;
for (const name of positionals.length === 0 ? Object.keys(scenarios) : positionals) {
  const scenario = scenarios[name] as Scenario;
  const { on = "cluster" } = scenario;
  console.error(`${name}: ${scenario.title}`);
  if (kept !== undefined && kept.on !== on) {
    await kept.stage[Symbol.asyncDispose]();
    kept = undefined;
  }
  const stage: Stage = kept?.stage ?? (await Stage.open(on));
  kept = { stage, on };
  let outcome: Judged | undefined;
  try {
    outcome = await runScenario(name, scenario, stage);
    outcomes.push(outcome);
    for (const text of outcome.broken) console.error(`  BROKEN ${text}`);
    for (const [reason, count] of Object.entries(outcome.failures)) say(`failed or unknown, ${count} times: ${reason}`);
    const atOf = (ms: number) => new Date(performance.timeOrigin + ms).toISOString().slice(11, 23);
    for (const { slowest } of [outcome.live, outcome.durable]) {
      if (slowest !== undefined) say(`slowest, sent at ${atOf(slowest.sentAtMs)}: ${JSON.stringify(slowest)}`);
    }
    for (const { sentAtMs, ...one } of outcome.durable.refusals) {
      say(`durable and not stored, sent at ${atOf(sentAtMs)}: ${JSON.stringify(one)}`);
    }
    for (const example of outcome.broken.length > 0 ? outcome.elsewhere.examples : []) {
      say(`between other nodes: ${JSON.stringify(example)}`);
    }
    for (const loss of [...outcome.live.losses, ...outcome.durable.losses])
      say(`lost, sent at ${atOf(loss.sentAtMs)}: ${JSON.stringify(loss)}`);
  } finally {
    // What is broken would blur the next verdict.
    if (!values.short || outcome === undefined || outcome.broken.length > 0) {
      kept = undefined;
      await stage[Symbol.asyncDispose]();
    }
  }
}
await kept?.stage[Symbol.asyncDispose]();
if (values.json) console.log(JSON.stringify(outcomes, null, 2));
else printTables(outcomes);
const count = outcomes.length === 1 ? "1 scenario" : `${outcomes.length} scenarios`;
say(`${count} took ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
process.exitCode = outcomes.every(({ broken }) => broken.length === 0) ? 0 : 1;
