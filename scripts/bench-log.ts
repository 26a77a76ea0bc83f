import { systemClock } from "../server/src/clock.ts";
import { MemoryMessageLog } from "../server/src/log/memory/memory-message-log.ts";
import type { MessageLog } from "../server/src/log/message-log.ts";
import { appendOf, newChannel, policyWith, stored } from "../server/src/testing/log-under-test.ts";
import { openValkeyLog } from "../server/src/testing/valkey-log.ts";
import { startCluster, startStandalone } from "../server/src/testing/valkey-processes.ts";
import { scriptOptions } from "./script-options.ts";

scriptOptions(
  `npm run bench:log

Measures what an append to the log costs: in memory, on one Valkey, and on a cluster of three primaries with a replica's
acknowledgement, by how many are under way at once.

  --help  print this`,
  {},
);

const policy = policyWith();
const body = new Uint8Array(128);

interface Row {
  readonly log: string;
  readonly atOnce: number;
  readonly perSecond: number;
  readonly cpuUs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

async function measure(name: string, log: MessageLog, atOnce: number, count: number): Promise<Row> {
  const channels = Array.from({ length: Math.min(atOnce, 100) }, () => newChannel());
  const tookMs: number[] = [];
  let left = count;
  const publish = async (origin: number) => {
    const channel = channels[origin % channels.length] as (typeof channels)[0];
    for (let seq = 1; left-- > 0; seq++) {
      const beganAtMs = performance.now();
      await stored(log, appendOf(channel, seq, { origin: BigInt(origin + 1), body, policy }));
      tookMs.push(performance.now() - beganAtMs);
    }
  };
  const cpu = process.cpuUsage();
  const beganAtMs = performance.now();
  await Promise.all(Array.from({ length: atOnce }, (_, i) => publish(i)));
  const seconds = (performance.now() - beganAtMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  tookMs.sort((a, b) => a - b);
  const quantile = (q: number) => Number((tookMs[Math.floor(q * (tookMs.length - 1))] ?? 0).toFixed(2));
  const cpuUs = Number(((user + system) / count).toFixed(1));
  return {
    log: name,
    atOnce,
    perSecond: Math.round(count / seconds),
    cpuUs,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
  };
}

async function rows(name: string, log: MessageLog, one: number, many: number): Promise<Row[]> {
  await measure(name, log, 100, one); // to warm up
  return [
    await measure(name, log, 1, one),
    await measure(name, log, 20, many / 2),
    await measure(name, log, 200, many),
    await measure(name, log, 2000, many),
  ];
}

const all: Row[] = await rows("memory", new MemoryMessageLog({ clock: systemClock }), 20_000, 200_000);
{
  await using servers = await startStandalone();
  await using under = await openValkeyLog(servers);
  all.push(...(await rows("one Valkey", under.log, 2000, 40_000)));
}
{
  await using servers = await startCluster();
  await using under = await openValkeyLog(servers);
  all.push(...(await rows("3 + 3, replica", under.log, 2000, 40_000)));
}
console.table(all);
