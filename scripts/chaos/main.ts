import { writeFileSync } from "node:fs";
import { startCluster } from "../../server/src/testing/valkey-processes.ts";
import { scriptOptions } from "../script-options.ts";
import { Balancer } from "./balanced-sockets.ts";
import { valkeyPassword } from "./chaos-config.ts";
import { Crowd, p99 } from "./crowd.ts";
import { FanfareNode } from "./fanfare-node.ts";
import { type ClassFigures, judge } from "./ledger.ts";
import { scenarios } from "./scenarios.ts";

const list = Object.entries(scenarios).map(([name, { title }]) => `  ${name.padEnd(17)}${title}`);
const help = `npm run chaos -- --scenario <name> [options]

Starts a Valkey cluster of three primaries and three replicas, three Fanfare nodes and a few hundred clients that talk to each other by
unicast, group and broadcast, live and durable; does something terrible to it; and says what the clients noticed. Exits with 1 past the bounds.

${list.join("\n")}

  --scenario <name>  which; may be repeated; all by default
  --short            one fault of each kind, as CI does
  --clients <n>      300 by default
  --rate <n>         messages a second, of all together; 150 by default
  --json <file>      write the figures there
  --logs <folder>    write what the nodes logged there
  --help             print this

npm run chaos -- --scenario kill-primary
npm run chaos -- --short --json chaos.json`;

const values = scriptOptions(help, {
  scenario: { type: "string", multiple: true },
  short: { type: "boolean", default: false },
  clients: { type: "string", default: "300" },
  rate: { type: "string", default: "150" },
  json: { type: "string" },
  logs: { type: "string" },
});
const chosen = values.scenario ?? Object.keys(scenarios);
const unknown = chosen.find((name) => !(name in scenarios));
if (unknown !== undefined) {
  console.error(`there is no scenario ${unknown}\n\n${help}`);
  process.exit(2);
}

/** What came out of one scenario. */
interface Outcome {
  readonly scenario: string;
  readonly live: ClassFigures;
  readonly durable: ClassFigures;
  readonly connectP99Ms: number;
  readonly subscribeP99Ms: number;
  readonly failedProbes: number;
  readonly longestOutageMs: number;
  readonly lostSessions: number;
  readonly broken: readonly string[];
}

async function runScenario(name: string): Promise<Outcome> {
  const scenario = scenarios[name];
  if (scenario === undefined) throw new Error(`there is no scenario ${name}`);
  const say = (text: string): void => console.error(`  ${text}`);
  console.error(`${name}: ${scenario.title}`);
  await using valkey = await startCluster();
  const ids = ["n1", "n2", "n3"];
  for (const process of valkey.processes) {
    for (const id of ids) await process.command("ACL", "SETUSER", id, "on", `>${valkeyPassword}`, "~*", "&*", "+@all");
  }
  const addresses = valkey.addresses.map(({ host, port }) => `${host}:${port}`);
  await using stack = new AsyncDisposableStack();
  const nodes = ids.map((id) => stack.use(new FanfareNode(id, addresses, true)));
  for (const node of nodes) await node.start();
  const up = () => nodes.filter(({ isUp }) => isUp).map(({ url }) => url.replace(/^http/, "ws"));
  const clients = Number(values.clients);
  const balancer = new Balancer(up);
  const crowd = stack.use(
    await Crowd.open({ balancer, clients, groups: 20, durableGroups: 10, rate: Number(values.rate) }),
  );
  say(`${clients} clients on ${nodes.length} nodes`);
  crowd.start();
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  crowd.outagesMs.length = 0;
  await scenario.run({ valkey, nodes, say, isShort: values.short });
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  await crowd.stop(40_000);
  const outcome = {
    scenario: name,
    live: judge(crowd.sent, crowd.seen, false),
    durable: judge(crowd.sent, crowd.seen, true),
    connectP99Ms: p99(crowd.connectMs),
    subscribeP99Ms: p99(crowd.subscribeMs),
    failedProbes: crowd.failedProbes,
    longestOutageMs: Math.round(Math.max(0, ...crowd.outagesMs)),
    lostSessions: crowd.lostSessions,
  };
  if (values.logs !== undefined) {
    for (const node of nodes) writeFileSync(`${values.logs}/${name}-${node.nodeId}.log`, node.text);
  }
  return { ...outcome, broken: brokenBounds(outcome) };
}

function brokenBounds(outcome: Omit<Outcome, "broken">): string[] {
  const { live, durable } = outcome;
  const { bounds } = scenarios[outcome.scenario] as (typeof scenarios)[string];
  const broken: string[] = [];
  const atMost = (what: string, is: number, bound: number | undefined): void => {
    if (bound !== undefined && is > bound) broken.push(`${what}: ${is}, and ${bound} at the most`);
  };
  atMost("live messages lost without a word", live.lost, 0);
  atMost("live messages doubled", live.doubled, 0);
  atMost("live messages out of order", live.reordered, 0);
  atMost("durable messages lost", durable.lost, 0);
  atMost("durable messages doubled", durable.doubled, 0);
  atMost("durable messages out of order", durable.reordered, 0);
  atMost("publishes without an answer", live.pending + durable.pending, 0);
  if (bounds.liveIsWhole) {
    // Every player is there all the time. Of a node that is lost nobody knows who will be back.
    atMost("players said to be offline", live.offline, 0);
    atMost("live messages failed or unknown", live.failed + live.unknown, 0);
    atMost("live messages missed, told as a gap", live.toldAsGap, 0);
  }
  atMost("longest stall of live messages, ms", live.longestStallMs, bounds.longestStallMs);
  atMost("longest answer of durable messages, ms", durable.longestAnswerMs, bounds.longestAnswerMs);
  atMost("longest time without a connection, ms", outcome.longestOutageMs, bounds.longestOutageMs);
  if (live.received === 0 || durable.received === 0) broken.push("nothing was received at all");
  return broken;
}

const outcomes: Outcome[] = [];
for (const name of chosen) {
  const outcome = await runScenario(name);
  outcomes.push(outcome);
  for (const text of outcome.broken) console.error(`  BROKEN ${text}`);
}
console.table(
  Object.fromEntries(
    outcomes.flatMap(({ scenario, live, durable }) =>
      [live, durable].map((figures, i) => [
        `${scenario}, ${i === 0 ? "live" : "durable"}`,
        {
          sent: figures.sent,
          ok: figures.delivered,
          offline: figures.offline,
          failed: figures.failed,
          unknown: figures.unknown,
          received: figures.received,
          lost: figures.lost,
          "told gap": figures.toldAsGap,
          doubled: figures.doubled,
          reordered: figures.reordered,
          "p99 ms": figures.p99Ms,
          "stall ms": figures.longestStallMs,
          "answer ms": figures.longestAnswerMs,
        },
      ]),
    ),
  ),
);
console.table(
  Object.fromEntries(
    outcomes.map(({ scenario, connectP99Ms, subscribeP99Ms, failedProbes, longestOutageMs, lostSessions, broken }) => [
      scenario,
      {
        "connect p99 ms": connectP99Ms,
        "subscribe p99 ms": subscribeP99Ms,
        "failed connects": failedProbes,
        "longest outage ms": longestOutageMs,
        "lost sessions": lostSessions,
        holds: broken.length === 0,
      },
    ]),
  ),
);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(outcomes, null, 2)}\n`);
process.exitCode = outcomes.every(({ broken }) => broken.length === 0) ? 0 : 1;
