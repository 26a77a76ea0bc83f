import type { LogPosition } from "../server/src/log/log-position.ts";
import type { LogChannel, LogMessage, MessageLog } from "../server/src/log/message-log.ts";
import { logKeys } from "../server/src/log/valkey/log-keys.ts";
import { faultsOf, LogLoad } from "../server/src/testing/log-load.ts";
import { newChannel, page, policyWith } from "../server/src/testing/log-under-test.ts";
import { openValkeyLog } from "../server/src/testing/valkey-log.ts";
import { startCluster, until, untilSettled } from "../server/src/testing/valkey-processes.ts";
import { scriptOptions } from "./script-options.ts";

const help = `npm run chaos:log -- [options]

Kills primaries of a Valkey cluster of its own under load, again and again. Exits with 1 if anything that a replica had
acknowledged was lost, doubled or out of order, or if less than half of the appends were acknowledged by a replica at all.

  --kills <n>  primaries to kill; 50 by default
  --freeze     let them stand still until a replica has taken over, and wake up as primaries that are none any more
  --help       print this

npm run chaos:log -- --kills 10 --freeze`;

const { kills, freeze } = scriptOptions(help, {
  kills: { type: "number", default: 50 },
  freeze: { type: "boolean" },
});
const policy = policyWith({ maxMessages: 1_000_000, maxBytes: 1 << 30 });

async function messagesOf(log: MessageLog, channel: LogChannel): Promise<LogMessage[]> {
  const messages: LogMessage[] = [];
  let from: LogPosition | undefined;
  for (;;) {
    const one = await page(log, channel, { from, policy });
    messages.push(...(one.items as LogMessage[]));
    if (one.atEnd) return messages;
    from = one.next;
  }
}

await using servers = await startCluster();
await using under = await openValkeyLog(servers, { callTimeoutMs: 30_000, sendTimeoutMs: 30_000 });
const totals = { acknowledged: 0, byReplica: 0, unknown: 0, refused: 0 };
const outagesMs: number[] = [];
const faults: string[] = [];

for (let kill = 1; kill <= kills; kill++) {
  const channels = Array.from({ length: 12 }, () => newChannel());
  const key = logKeys("fanfare", channels[0] as LogChannel).stream;
  const victim = await servers.primaryOf(key);
  const load = new LogLoad(under.log, { channels, publishers: 30, policy, pauseMs: 20 });
  await until(async () => load.acknowledgments.length > 500);
  if (freeze) victim.pause();
  else await victim.kill();
  await until(async () => (await servers.primaryOf(key)) !== victim, 60_000);
  if (freeze) victim.resume();
  const elected = load.acknowledgments.length;
  await until(async () => load.acknowledgments.length > elected + 1000, 60_000);
  await load.stop();
  const found = (
    await Promise.all(channels.map(async (one) => faultsOf(load, one, await messagesOf(under.log, one))))
  ).flat();
  faults.push(...found, ...[...load.refusals.keys()].map((told) => `refused: ${told}`));
  if (load.open.length > 0) faults.push(`${load.open.length} appends never found out what became of them`);
  const outageMs = Math.max(...load.acknowledgments.map(({ tookMs }) => tookMs));
  outagesMs.push(outageMs);
  totals.acknowledged += load.acknowledgments.length;
  totals.byReplica += load.acknowledgments.filter(({ result }) => result.acknowledged === "replica").length;
  totals.unknown += load.unknown;
  totals.refused += [...load.refusals.values()].reduce((sum, count) => sum + count, 0);
  console.log(
    `kill ${kill}: ${load.acknowledgments.length} acknowledged, longest append ${Math.round(outageMs)} ms, ${found.length} faults`,
  );
  if (!freeze) await victim.restart();
  await untilSettled(servers);
}

// What only a primary has acknowledged is held to nothing above: a shard whose primary was killed has no replica for a while, and no more than that.
const least = Math.ceil(totals.acknowledged / 2);
if (totals.acknowledged === 0 || totals.byReplica < least) {
  faults.push(
    `${totals.byReplica} of ${totals.acknowledged} appends were acknowledged by a replica, and ${least} at the least have to be`,
  );
}
outagesMs.sort((a, b) => a - b);
process.exitCode = faults.length === 0 ? 0 : 1;
console.log({
  kills,
  ...totals,
  longestAppendMs: {
    median: Math.round(outagesMs[outagesMs.length >> 1] ?? 0),
    max: Math.round(outagesMs.at(-1) ?? 0),
  },
  clientsReplaced: under.connections.clientCounts.replaced,
  faults: faults.length,
});
for (const fault of faults.slice(0, 20)) console.error(fault);
