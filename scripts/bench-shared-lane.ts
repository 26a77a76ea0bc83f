import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../server/src/clock.ts";
import { silentLog } from "../server/src/observe/log.ts";
import type { LinkRecord } from "../server/src/router/links/link-port.ts";
import { Links } from "../server/src/router/links/links.ts";
import { openBrokerOn } from "../server/src/testing/valkey-broker.ts";
import { startCluster, startStandalone, type ValkeyServers } from "../server/src/testing/valkey-processes.ts";
import { scriptOptions } from "./script-options.ts";

const values = scriptOptions(
  `npm run bench:shared-lane -- [options]

Measures what a message to all other nodes costs over a real Valkey: published to each of them, and once to all. All nodes are in this process; what it costs
them together, their Valkey, and it in bytes and commands is told for each message.

  --peers N,M   how many other nodes there are (default 2,3,5,8)
  --bytes N,M   how large messages are (default 200,1000,8000)
  --seconds N   how long each is measured (default 2)
  --cluster     a cluster of 3 primaries and 3 replicas instead of one Valkey
  --help        print this`,
  {
    peers: { type: "numbers", default: [2, 3, 5, 8], max: 100 },
    bytes: { type: "numbers", default: [200, 1000, 8000], max: 1_000_000 },
    seconds: { type: "number", default: 2, max: 3_600 },
    cluster: { type: "boolean" },
  },
);

interface Load {
  readonly peers: number;
  readonly bytes: number;
  /** Messages in a turn of the event loop. */
  readonly perTurn: number;
  readonly turnsPerSecond: number;
  readonly isShared: boolean;
}

/** Of all servers together. */
async function statsOf(valkey: ValkeyServers) {
  const sum = { publishes: 0, inBytes: 0, outBytes: 0, cpuUs: 0 };
  for (const process of valkey.processes) {
    const info = await process.command("INFO", "everything");
    const number = (pattern: RegExp) => Number(pattern.exec(info)?.[1] ?? 0);
    sum.publishes += number(/^cmdstat_s?publish:calls=(\d+)/m);
    sum.inBytes += number(/^total_net_input_bytes:(\d+)/m);
    sum.outBytes += number(/^total_net_output_bytes:(\d+)/m);
    sum.cpuUs += 1e6 * (number(/^used_cpu_sys:([\d.]+)/m) + number(/^used_cpu_user:([\d.]+)/m));
  }
  return sum;
}

let measured = 0;

async function measure(valkey: ValkeyServers, { peers, bytes, perTurn, turnsPerSecond, isShared }: Load) {
  await using brokers = new AsyncDisposableStack();
  const all: Links[] = [];
  let received = 0;
  // Of its own each time, as the prefix is, because connections of the one before may still be there.
  const first = BigInt(++measured * 1_000);
  for (let node = 1; node <= peers + 1; node++) {
    const { lanes } = brokers.use(await openBrokerOn(valkey, { keyPrefix: `bench-${measured}` }));
    const links = new Links({
      ...{ self: first + BigInt(node), lanes, clock: systemClock, log: silentLog, random: Math.random },
      options: { sharedPeers: isShared ? 1 : 100_000, sharedBytes: isShared ? 1 : 100_000_000 },
      receiver: {
        onRecords: (_, records) => {
          received += records.length;
        },
        onLoss: () => {},
      },
    });
    await links.listen();
    all.push(links);
  }
  const [from, ...others] = all as [Links, ...Links[]];
  for (const links of all) for (let peer = 1; peer <= peers + 1; peer++) links.addPeer(first + BigInt(peer), 2);
  const to = others.map((_, index) => first + BigInt(index + 2));
  const record: LinkRecord = { class: "live", channel: { appId: "app", key: "b" }, bytes: Buffer.alloc(bytes, 7) };
  let sent = 0;
  let open = 0;
  let failed = 0;
  let allSettled = () => {};
  const tookMs: number[] = [];
  const send = () => {
    const sentMs = performance.now();
    sent++;
    const settle = (outcome: string) => {
      if (--open === 0) allSettled();
      if (outcome !== "delivered") failed++;
      tookMs.push(performance.now() - sentMs);
    };
    open += to.length;
    from.sendToMany(
      to,
      record,
      to.map(() => settle),
    );
  };
  const run = async (forMs: number, { isIdle = false } = {}) => {
    const beganMs = performance.now();
    for (let turn = 0; performance.now() - beganMs < forMs; ) {
      if (turn < ((performance.now() - beganMs) / 1000) * turnsPerSecond && open < 20_000) {
        turn++;
        for (let i = 0; i < perTurn && !isIdle; i++) send();
      } else await sleep(1);
    }
    if (open > 0) await new Promise<void>((resolve) => (allSettled = resolve));
  };
  await run(700);
  tookMs.length = 0;
  // What an idle cluster costs is taken off.
  const idle = await spent(valkey, () => run(1_000, { isIdle: true }));
  const sentBefore = sent;
  const receivedBefore = received;
  const busy = await spent(valkey, () => run(values.seconds * 1000));
  const count = sent - sentBefore;
  if (failed > 0) throw new Error(`${failed} were not delivered`);
  if (received - receivedBefore !== count * peers) throw new Error("not all were received");
  for (const links of all) links[Symbol.dispose]();
  tookMs.sort((a, b) => a - b);
  const perMessage = (what: keyof typeof busy) =>
    Math.round((10 * Math.max(0, busy[what] - (idle[what] * busy.ms) / idle.ms)) / count) / 10;
  return {
    peers,
    bytes,
    "a turn": perTurn,
    way: isShared ? "once" : "each",
    "messages/s": Math.round(count / (busy.ms / 1000)),
    "nodes' CPU us": perMessage("nodeUs"),
    "Valkey's CPU us": perMessage("cpuUs"),
    publishes: perMessage("publishes"),
    "bytes in": perMessage("inBytes"),
    "bytes out": perMessage("outBytes"),
    repeated: all.reduce((sum, { counters }) => sum + counters.batchesRepeated, 0),
    "p50 ms": Math.round((tookMs[tookMs.length >> 1] ?? 0) * 10) / 10,
    "p99 ms": Math.round((tookMs[Math.floor(tookMs.length * 0.99)] ?? 0) * 10) / 10,
  };
}

async function spent(valkey: ValkeyServers, work: () => Promise<unknown>) {
  const before = await statsOf(valkey);
  const cpu = process.cpuUsage();
  const beganMs = performance.now();
  await work();
  const ms = performance.now() - beganMs;
  const { user, system } = process.cpuUsage(cpu);
  const after = await statsOf(valkey);
  return {
    ms,
    nodeUs: user + system,
    cpuUs: after.cpuUs - before.cpuUs,
    publishes: after.publishes - before.publishes,
    inBytes: after.inBytes - before.inBytes,
    outBytes: after.outBytes - before.outBytes,
  };
}

await using valkey = values.cluster ? await startCluster() : await startStandalone();
const rows = [];
for (const peers of values.peers) {
  for (const bytes of values.bytes) {
    for (const perTurn of [1, 20]) {
      const turnsPerSecond = perTurn === 1 ? 100 : 20;
      for (const isShared of [false, true]) {
        rows.push(await measure(valkey, { peers, bytes, perTurn, turnsPerSecond, isShared }));
      }
    }
  }
}
console.table(rows);
