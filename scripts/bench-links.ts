import { setImmediate as nextTurn } from "node:timers/promises";
import type { Lanes } from "../server/src/broker/lanes.ts";
import { systemClock } from "../server/src/clock.ts";
import { silentLog } from "../server/src/observe/log.ts";
import type { LinkRecord } from "../server/src/router/links/link-port.ts";
import { Links } from "../server/src/router/links/links.ts";
import { scriptOptions } from "./script-options.ts";

scriptOptions(
  `npm run bench:links

Measures what a record costs on its link from one node to another, both of which are in this process: encoding, numbering, acknowledging, decoding, handing
on and settling. Lanes are loopback, so nothing of GLIDE or Valkey is in it.

  --help  print this`,
  {},
);

/** Lanes without a broker: what is published arrives in the next turn of the event loop. */
class LoopbackLanes implements Lanes {
  readonly count = 16;
  publishes = 0;
  bytes = 0;
  readonly #inboxes = new Map<bigint, (bytes: Uint8Array, lane: number) => void>();
  #arriving: (() => void)[] = [];

  shardOf(lane: number): string {
    return `${lane % 3}`;
  }

  publish(lane: number, incarnation: bigint, bytes: Uint8Array): Promise<number> {
    this.publishes++;
    this.bytes += bytes.length;
    return new Promise((resolve) => {
      if (this.#arriving.length === 0) setImmediate(() => this.#arrive());
      this.#arriving.push(() => {
        this.#inboxes.get(incarnation)?.(bytes, lane);
        resolve(1);
      });
    });
  }

  async listen(incarnation: bigint, onBytes: (bytes: Uint8Array, lane: number) => void): Promise<void> {
    this.#inboxes.set(incarnation, onBytes);
  }

  #arrive(): void {
    const arriving = this.#arriving;
    this.#arriving = [];
    for (const one of arriving) one();
  }
}

interface Load {
  readonly name: string;
  /** Records in a turn of the event loop. */
  readonly perTurn: number;
  /** Turns a second; 0: as many as are kept up with. */
  readonly turnsPerSecond: number;
  readonly bytes: number;
}

const seconds = 3;
/** Less than what a link holds when it has no credit. */
const maxUnsettledBytes = 3 << 20;

async function measure({ name, perTurn, turnsPerSecond, bytes }: Load) {
  const lanes = new LoopbackLanes();
  let received = 0;
  const nodes = [1n, 2n].map(
    (self) =>
      new Links({
        self,
        lanes,
        clock: systemClock,
        log: silentLog,
        random: Math.random,
        receiver: {
          onRecords: (_, records) => {
            received += records.length;
          },
          onLoss: () => {},
        },
      }),
  );
  const [from, to] = nodes as [Links, Links];
  await Promise.all(nodes.map((links) => links.listen()));
  from.addPeer(2n);
  const record: LinkRecord = {
    class: "live",
    channel: { appId: "app", key: "g:bench" },
    bytes: new Uint8Array(bytes).fill(7),
  };
  let sent = 0;
  let settled = 0;
  let failed = 0;
  const tookMs: number[] = [];
  const run = async (untilMs: number) => {
    const beganMs = performance.now();
    let turns = 0;
    while (performance.now() < untilMs) {
      const isDue = turnsPerSecond === 0 || turns < ((performance.now() - beganMs) / 1000) * turnsPerSecond;
      if (isDue && (sent - settled) * (bytes + 128) < maxUnsettledBytes) {
        turns++;
        for (let i = 0; i < perTurn; i++) {
          const sentMs = i === 0 ? performance.now() : 0;
          sent++;
          from.send(2n, record, (outcome) => {
            settled++;
            if (outcome !== "delivered") failed++;
            if (sentMs !== 0) tookMs.push(performance.now() - sentMs);
          });
        }
      }
      await (isDue ? nextTurn() : new Promise((resolve) => setTimeout(resolve, 1)));
    }
  };
  await run(performance.now() + 500);
  const before = { received, publishes: lanes.publishes, bytes: lanes.bytes };
  tookMs.length = 0;
  const cpu = process.cpuUsage();
  const beganMs = performance.now();
  await run(beganMs + seconds * 1000);
  const { user, system } = process.cpuUsage(cpu);
  const tookSeconds = (performance.now() - beganMs) / 1000;
  const count = received - before.received;
  const publishes = lanes.publishes - before.publishes;
  const repeated = from.counters.batchesRepeated + to.counters.batchesRepeated;
  while (settled < sent) await new Promise((resolve) => setTimeout(resolve, 10));
  for (const links of nodes) links[Symbol.dispose]();
  if (failed > 0) throw new Error(`${failed} records were not delivered`);
  tookMs.sort((a, b) => a - b);
  return {
    load: name,
    "records/s": Math.round(count / tookSeconds),
    "CPU us/record": Number(((user + system) / count).toFixed(2)),
    "publishes/s": Math.round(publishes / tookSeconds),
    "records/publish": Number((count / publishes).toFixed(1)),
    repeated,
    "p50 ms": Number((tookMs[Math.floor(tookMs.length / 2)] ?? 0).toFixed(2)),
    "p99 ms": Number((tookMs[Math.floor(tookMs.length * 0.99)] ?? 0).toFixed(2)),
  };
}

const loads: Load[] = [
  { name: "as much as possible, 1 a turn", perTurn: 1, turnsPerSecond: 0, bytes: 200 },
  { name: "as much as possible, 100 a turn", perTurn: 100, turnsPerSecond: 0, bytes: 200 },
  { name: "as much as possible, 1,000 a turn", perTurn: 1_000, turnsPerSecond: 0, bytes: 200 },
  { name: "as much as possible, 100 a turn, 4 KiB", perTurn: 100, turnsPerSecond: 0, bytes: 4_096 },
  { name: "100 a second", perTurn: 1, turnsPerSecond: 100, bytes: 200 },
  { name: "1,000 a second", perTurn: 1, turnsPerSecond: 1_000, bytes: 200 },
  { name: "50,000 a second, 10 a turn", perTurn: 10, turnsPerSecond: 5_000, bytes: 200 },
];

const rows = [];
for (const load of loads) rows.push(await measure(load));
console.table(rows);
