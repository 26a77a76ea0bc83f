import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { requireTool } from "../../../../test/require-tool.ts";
import { newAppChannel } from "../../testing/broker-under-test.ts";
import { openBrokerOn } from "../../testing/valkey-broker.ts";
import {
  startCluster,
  startStandalone,
  until,
  type ValkeyProcess,
  type ValkeyServers,
} from "../../testing/valkey-processes.ts";

/** How often each command was called since the last reset, in all servers; those inside functions count too. */
async function callsOf(servers: ValkeyServers): Promise<Map<string, number>> {
  const calls = new Map<string, number>();
  for (const process of servers.processes) {
    const stats = await process.command("INFO", "commandstats");
    for (const [, name = "", count] of stats.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)) {
      calls.set(name, (calls.get(name) ?? 0) + Number(count));
    }
  }
  return calls;
}

async function resetCalls(servers: ValkeyServers): Promise<void> {
  for (const process of servers.processes) await process.command("CONFIG", "RESETSTAT");
}

describe.skipIf(requireTool("valkey-server") === undefined)("a broker in trouble", () => {
  it("has no route read as empty when its Valkey begins anew without data: nobody is asked until routes are written again", async () => {
    await using servers = await startStandalone();
    const [valkey] = servers.processes as [ValkeyProcess];
    await using writer = await openBrokerOn(servers);
    await using reader = await openBrokerOn(servers);
    const channel = newAppChannel();
    let sequence = 1;
    await writer.routes.add(channel, 7n, sequence);
    let isAssertedAgain = false;
    writer.routes.onUnsettled((isAffected) => {
      expect(isAffected(channel)).toBe(true);
      void writer.routes.add(channel, 7n, ++sequence).then((wasThere) => {
        expect(wasThere).toBe(false);
        isAssertedAgain = true;
      });
    });
    expect(await reader.routes.read(channel)).toEqual([7n]);
    await valkey.kill();
    await valkey.restart();
    let refused = 0;
    for (let isRead = false; !isRead; await delay(5)) {
      try {
        expect(await reader.routes.read(channel)).toEqual([7n]);
        isRead = true;
      } catch (reason) {
        if ((reason as Error).name === "AssertionError") throw reason;
        refused++;
      }
    }
    expect([isAssertedAgain, refused > 0]).toEqual([true, true]);
  }, 30_000);

  it("waits for a frozen replica once, and for it again when it has caught up", async () => {
    await using servers = await startStandalone(1);
    const [primary, replica] = servers.processes as [ValkeyProcess, ValkeyProcess];
    await using broker = await openBrokerOn(servers, { waitTimeoutMs: 300 });
    const add = async () => {
      const beganMs = performance.now();
      await broker.routes.add(newAppChannel(), 1n, 1);
      return performance.now() - beganMs;
    };
    await add();
    replica.pause();
    try {
      expect(await add()).toBeGreaterThan(290);
      await resetCalls({ ...servers, processes: [primary] } as ValkeyServers);
      for (let i = 0; i < 20; i++) await add();
      expect((await primary.command("INFO", "commandstats")).includes("cmdstat_wait:")).toBe(false);
    } finally {
      replica.resume();
    }
    await until(async () => {
      await add();
      return (await primary.command("INFO", "commandstats")).includes("cmdstat_wait:");
    });
  }, 30_000);

  it("loads its functions again when they are gone, without an error for anybody who changes something", async () => {
    await using servers = await startCluster();
    await using broker = await openBrokerOn(servers);
    for (const process of servers.processes.slice(0, 3)) await process.command("FUNCTION", "FLUSH");
    await Promise.all(Array.from({ length: 30 }, (_, i) => broker.memberships.add("game", `player-${i}`, "chat:x", 5)));
    expect((await broker.memberships.playersOf("game", "chat:x", undefined, 100)).names).toHaveLength(30);
    const channel = newAppChannel();
    await broker.routes.add(channel, 1n, 1);
    await until(async () => (await broker.routes.read(channel)).length === 1);
    expect(await broker.registry.renew(1n, Buffer.from("node"))).not.toContain(undefined);
  }, 60_000);

  it("costs what the decision says: a function a route and one a batch, a publish a batch of a lane, and idle the same always", async () => {
    await using servers = await startCluster();
    await using broker = await openBrokerOn(servers);
    await using other = await openBrokerOn(servers);
    const channels = Array.from({ length: 90 }, () => newAppChannel());
    await Promise.all(channels.map((channel, i) => broker.routes.add(channel, 1n, i)));
    await other.lanes.listen(9n, () => {});

    await resetCalls(servers);
    const before = broker.counts.routeReadBatches;
    await Promise.all(channels.map((channel) => broker.routes.read(channel)));
    const batches = broker.counts.routeReadBatches - before;
    expect(batches).toBe(3);
    const reads = await callsOf(servers);
    expect(reads.get("hgetall")).toBe(90);
    expect(reads.get("fcall")).toBeGreaterThanOrEqual(93);
    expect(reads.get("fcall")).toBeLessThan(93 + 20); // pulses of two nodes in between

    await resetCalls(servers);
    await Promise.all(Array.from({ length: 48 }, (_, i) => broker.lanes.publish(i % 16, 9n, Buffer.alloc(100, 8))));
    const publishes = (await callsOf(servers)).get("spublish") ?? 0;
    expect(publishes).toBeGreaterThanOrEqual(48);
    expect(publishes).toBeLessThanOrEqual(48 + 32); // probes in between

    await resetCalls(servers);
    await delay(4000);
    const idle = await callsOf(servers);
    // Two nodes, three shards, two pulses a second; one node with sixteen lanes, each probed once a second.
    expect(idle.get("fcall")).toBeLessThanOrEqual(2 * 3 * 2 * 5);
    expect(idle.get("spublish")).toBeLessThanOrEqual(16 * 5);
    const allowed = ["fcall", "spublish", "time", "cluster|myid", "cluster|nodes", "cluster|slots", "config|resetstat"];
    const others = [
      "info",
      "ping",
      "command",
      "replconf",
      "auth",
      "hello",
      "client|setinfo",
      "client|setname",
      "psync",
    ];
    for (const name of idle.keys()) expect([...allowed, ...others]).toContain(name);
  }, 60_000);
});
