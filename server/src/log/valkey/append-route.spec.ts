import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../../../../test/require-tool.ts";
import type { ValkeyBroker } from "../../broker/valkey/open-valkey-broker.ts";
import { systemClock } from "../../clock.ts";
import { appendOf, type LogUnderTest, newChannel, stored } from "../../testing/log-under-test.ts";
import { openBrokerOn } from "../../testing/valkey-broker.ts";
import { openValkeyLog } from "../../testing/valkey-log.ts";
import {
  startCluster,
  startStandalone,
  until,
  type ValkeyProcess,
  type ValkeyServers,
} from "../../testing/valkey-processes.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { KnownRuns } from "./known-runs.ts";
import { logKeys } from "./log-keys.ts";

describe("what is known of who answers", () => {
  it("is enough when the same run has been known for three seconds", () => {
    const clock = new VirtualClock();
    const runs = new KnownRuns(clock);
    const answers = (node: string, run: string) => runs.isLong({ node, run, number: 1 });
    expect(answers("a", "1")).toBe(false);
    clock.advance(2_999);
    expect([answers("a", "1"), answers("b", "1")]).toEqual([false, false]);
    clock.advance(1);
    expect([answers("a", "1"), answers("b", "1")]).toEqual([true, false]);
    expect(answers("a", "2")).toBe(false);
    clock.advance(3_000);
    expect([answers("a", "1"), answers("a", "2")]).toEqual([false, false]);
  });
});

describe.skipIf(requireTool("valkey-server") === undefined).each([
  ["one Valkey", () => startStandalone()],
  ["a Valkey cluster, 3 + 3", () => startCluster()],
] as const)("the route that an append returns, over %s", (_, start) => {
  let servers: ValkeyServers;
  let broker: ValkeyBroker;
  let under: LogUnderTest;
  let isBelieved = true;

  beforeAll(async () => {
    servers = await start();
    broker = await openBrokerOn(servers);
    under = await openValkeyLog(servers, { isSettled: (node) => isBelieved && broker.isSettled(node) });
    // Each shard's run has to be known for a while.
    const channels = Array.from({ length: 30 }, () => newChannel());
    for (const channel of channels) await broker.routes.add(channel, 1n, 1);
    await until(async () => {
      const all = await Promise.all(channels.map((channel, i) => stored(under.log, appendOf(channel, ++seqs + i))));
      return all.every(({ route }) => route !== undefined);
    });
  }, 60_000);
  afterAll(async () => {
    await under?.[Symbol.asyncDispose]();
    await broker?.[Symbol.asyncDispose]();
    await servers?.[Symbol.asyncDispose]();
  });
  let seqs = 0;

  const routeOf = async (channel: ReturnType<typeof newChannel>, seq: number) =>
    (await stored(under.log, appendOf(channel, seq))).route?.toSorted((a, b) => (a < b ? -1 : 1));

  it("has whoever was added before, and nobody who was removed, as a read of it has", async () => {
    const channel = newChannel();
    const large = 0xffff_ffff_ffff_ffffn;
    await broker.routes.add(channel, 0x2fn, 1);
    await broker.routes.add(channel, large, 7);
    expect(await routeOf(channel, 1)).toEqual([0x2fn, large]);
    await broker.routes.remove(channel, 0x2fn, 2);
    expect(await routeOf(channel, 2)).toEqual([large]);
    await broker.routes.remove(channel, large, 8);
    expect(await routeOf(channel, 3)).toEqual([]);
    // A repeat is told where it goes now.
    await broker.routes.add(channel, 5n, 1);
    expect(await stored(under.log, appendOf(channel, 3))).toMatchObject({ repeated: true, route: [5n] });
  });

  it("is not known where there is none: in a slot that is being moved it can be at the other node", async () => {
    expect(await routeOf(newChannel(), 1)).toBeUndefined();
  });

  it("is not known as long as its node is not believed, which does not keep anything from being stored", async () => {
    const channel = newChannel();
    await broker.routes.add(channel, 1n, 1);
    isBelieved = false;
    expect(await routeOf(channel, 1)).toBeUndefined();
    isBelieved = true;
    expect(await routeOf(channel, 2)).toEqual([1n]);
  });

  it("begins anew with a process that begins anew, and may have lost it", async () => {
    if (servers.isCluster) return;
    const channel = newChannel();
    await broker.routes.add(channel, 1n, 1);
    await (servers.processes[0] as ValkeyProcess).kill();
    await (servers.processes[0] as ValkeyProcess).restart();
    await broker.routes.add(channel, 2n, 1);
    expect(await routeOf(channel, 1)).toBeUndefined();
    const beganMs = systemClock.monotonicMs();
    let seq = 1;
    await until(async () => (await routeOf(channel, ++seq)) !== undefined);
    expect(systemClock.monotonicMs() - beganMs).toBeGreaterThan(2_000);
  });

  it("is not taken from the node that a slot moves to, as long as it is still where it comes from", async () => {
    if (!servers.isCluster) return;
    const channel = newChannel();
    const { stream, meta, route } = logKeys("fanfare", channel);
    await broker.routes.add(channel, 9n, 1);
    expect(await routeOf(channel, 1)).toEqual([9n]);
    const source = await servers.primaryOf(stream);
    const target = servers.processes.slice(0, 3).find((process) => process !== source) as ValkeyProcess;
    const slot = await source.command("CLUSTER", "KEYSLOT", stream);
    const [sourceId, targetId] = await Promise.all([source, target].map((one) => one.command("CLUSTER", "MYID")));
    await target.command("CLUSTER", "SETSLOT", slot, "IMPORTING", sourceId as string);
    await source.command("CLUSTER", "SETSLOT", slot, "MIGRATING", targetId as string);
    for (const key of [stream, meta]) await source.command("MIGRATE", "127.0.0.1", `${target.port}`, key, "0", "5000");
    expect(await routeOf(channel, 2)).toBeUndefined();
    expect(await broker.routes.read(channel)).toEqual([9n]);
    await source.command("MIGRATE", "127.0.0.1", `${target.port}`, route, "0", "5000");
    expect(await routeOf(channel, 3)).toEqual([9n]);
    for (const one of [target, source]) await one.command("CLUSTER", "SETSLOT", slot, "NODE", targetId as string);
    await until(async () => (await routeOf(channel, ++seqs + 1_000)) !== undefined);
    expect(await routeOf(channel, 10_000)).toEqual([9n]);
  });
});
