import { Acknowledgement } from "@fanfare/proto/config/v1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../../../../test/require-tool.ts";
import {
  appendOf,
  type LogUnderTest,
  newChannel,
  outline,
  page,
  policyWith,
  stored,
} from "../../testing/log-under-test.ts";
import { openValkeyLog } from "../../testing/valkey-log.ts";
import { startCluster, startStandalone, until, type ValkeyServers } from "../../testing/valkey-processes.ts";
import { describeLogHistories } from "../log-histories.contract.ts";
import { describeMessageLog } from "../message-log.contract.ts";
import { ValkeyMessageLog } from "./valkey-message-log.ts";

type ReplicaReading = LogUnderTest & { readonly servers: ValkeyServers; readonly replicaPages: () => number };

/** A log whose every page may come from a replica, on servers of its own, which end with it. */
async function openOn(start: () => Promise<ValkeyServers>, shouldBeUsed = false): Promise<ReplicaReading> {
  const servers = await start();
  const { addresses, isCluster } = servers;
  const valkey = { addresses, cluster: isCluster, requestTimeoutMs: 500, readsReplicas: true };
  const under = await openValkeyLog(servers, { valkey }).catch(async (reason: unknown) => {
    await servers[Symbol.asyncDispose]();
    throw reason;
  });
  const log = under.log as ValkeyMessageLog;
  const read: typeof log.read = async (request) => {
    const ends = await log.ends(request.channel, request.policy);
    return await ValkeyMessageLog.prototype.read.call(log, { ...request, ends });
  };
  Object.assign(log, { read });
  return {
    ...under,
    servers,
    replicaPages: () => log.replicaPages,
    async [Symbol.asyncDispose]() {
      const { replicaPages } = log;
      await under[Symbol.asyncDispose]();
      await servers[Symbol.asyncDispose]();
      if (shouldBeUsed) expect(replicaPages).toBeGreaterThan(0);
    },
  };
}

describe.skipIf(requireTool("valkey-server") === undefined)("pages that may come from a replica", () => {
  describeMessageLog("a Valkey cluster, 3 + 3", () => openOn(startCluster, true));
  describeLogHistories("a Valkey cluster, 3 + 3", () => openOn(startCluster, true), 50, false);

  describe.each([
    { name: "a Valkey with a replica", start: () => startStandalone(1) },
    { name: "a cluster", start: startCluster },
  ])("of $name", ({ start }) => {
    let under: ReplicaReading;

    beforeAll(async () => {
      under = await openOn(start);
    }, 60_000);
    afterAll(async () => await under?.[Symbol.asyncDispose]());

    /** How often each server was asked to only read. */
    async function peeks(): Promise<Map<string, number>> {
      const found = new Map<string, number>();
      for (const server of under.servers.processes) {
        const [role] = (await server.command("ROLE")).split("\n");
        const calls = /cmdstat_fcall_ro:calls=(\d+)/.exec(await server.command("INFO", "commandstats"))?.[1];
        found.set(role as string, (found.get(role as string) ?? 0) + Number(calls ?? 0));
      }
      return found;
    }

    it("are asked of replicas alone, in both directions and on from where a page ended", async () => {
      const { log } = under;
      const channel = newChannel();
      for (let i = 1; i <= 40; i++) await stored(log, appendOf(channel, i));
      const before = await peeks();
      const first = await page(log, channel, { limit: 25 });
      const second = await page(log, channel, { from: first.next });
      expect(outline([...first.items, ...second.items]).split(" ")).toHaveLength(40);
      expect(outline((await page(log, channel, { direction: "backward", limit: 3 })).items)).toBe("40 39 38");
      const after = await peeks();
      expect(after.get("slave")).toBe((before.get("slave") ?? 0) + 3);
      expect(after.get("master")).toBe(before.get("master"));
    });

    it("are those of the primary while the replica stands still", async () => {
      const { log, servers, replicaPages } = under;
      const channel = newChannel();
      const policy = { ...policyWith(), acknowledgement: Acknowledgement.PRIMARY };
      const tag = `{game/${channel.key}}`;
      const primary = await servers.primaryOf(tag);
      const [replica] = await servers.replicasOf(primary);
      await stored(log, appendOf(channel, 1, { policy }));
      await until(async () => (await primary.command("WAIT", "1", "100")) === "1");
      expect(outline((await page(log, channel, { policy })).items)).toBe("1");
      const pages = replicaPages();
      replica?.pause();
      try {
        await stored(log, appendOf(channel, 2, { policy }));
        expect(outline((await page(log, channel, { policy })).items)).toBe("1 2");
        expect(replicaPages()).toBe(pages);
      } finally {
        replica?.resume();
      }
      await until(async () => (await primary.command("WAIT", "1", "100")) === "1");
      await until(async () => {
        expect(outline((await page(log, channel, { policy })).items)).toBe("1 2");
        return replicaPages() > pages;
      });
    });

    it("are those of the primary when the replica lacks a message that was there", async () => {
      const { log, replicaPages } = under;
      const channel = newChannel();
      await stored(log, appendOf(channel, 1));
      const ends = await log.ends(channel, policyWith());
      const pages = replicaPages();
      const head = { ...ends.head, offset: 2 };
      const request = {
        channel,
        policy: policyWith(),
        direction: "forward",
        from: undefined,
        limit: 9,
        maxBytes: 999,
      } as const;
      const behind = await ValkeyMessageLog.prototype.read.call(log as ValkeyMessageLog, {
        ...request,
        ends: { ...ends, head },
      });
      expect(behind).toMatchObject({ verdict: "ok", head: ends.head });
      const fork = await ValkeyMessageLog.prototype.read.call(log as ValkeyMessageLog, {
        ...request,
        ends: { ...ends, head: { ...ends.head, tag: ends.head.tag ^ 1 } },
      });
      expect(fork).toMatchObject({ verdict: "ok", head: ends.head });
      expect(replicaPages()).toBe(pages);
    });
  });
});
