import { describe } from "vitest";
import { requireTool } from "../../../../test/require-tool.ts";
import type { LogUnderTest } from "../../testing/log-under-test.ts";
import { openValkeyLog } from "../../testing/valkey-log.ts";
import { startCluster, startStandalone, type ValkeyServers } from "../../testing/valkey-processes.ts";
import { describeLogHistories } from "../log-histories.contract.ts";
import { describeMessageLog } from "../message-log.contract.ts";

/** A log on servers of its own, which end with it. */
async function openOn(start: () => Promise<ValkeyServers>): Promise<LogUnderTest> {
  const servers = await start();
  const under = await openValkeyLog(servers).catch(async (reason: unknown) => {
    await servers[Symbol.asyncDispose]();
    throw reason;
  });
  const close = under[Symbol.asyncDispose];
  return {
    ...under,
    async [Symbol.asyncDispose]() {
      await close();
      await servers[Symbol.asyncDispose]();
    },
  };
}

/** Random histories on each, 200 in all. */
const histories = 100;

describe.skipIf(requireTool("valkey-server") === undefined)("on real servers", () => {
  describeMessageLog("one Valkey", () => openOn(() => startStandalone()));
  describeMessageLog("a Valkey with a replica", () => openOn(() => startStandalone(1)));
  describeMessageLog("a Valkey cluster, 3 + 3", () => openOn(startCluster));
  describeLogHistories("one Valkey", () => openOn(() => startStandalone()), histories, false);
  describeLogHistories("a Valkey cluster, 3 + 3", () => openOn(startCluster), histories, false);
});
