import { Acknowledgement } from "@fanfare/proto/config/v1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../../../../test/require-tool.ts";
import { faultsOf, LogLoad } from "../../testing/log-load.ts";
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
import {
  addNode,
  moveSlot,
  startCluster,
  until,
  untilSettled,
  type ValkeyProcess,
  type ValkeyServers,
} from "../../testing/valkey-processes.ts";
import type { LogPosition } from "../log-position.ts";
import type { LogChannel, LogMessage } from "../message-log.ts";
import { logKeys } from "./log-keys.ts";

const primaryOnly = { ...policyWith(), acknowledgement: Acknowledgement.PRIMARY };
const streamOf = (channel: LogChannel) => logKeys("fanfare", channel).stream;

describe.skipIf(requireTool("valkey-server") === undefined)("a cluster that changes", () => {
  let servers: ValkeyServers;
  let under: LogUnderTest;

  beforeAll(async () => {
    servers = await startCluster();
    under = await openValkeyLog(servers, { callTimeoutMs: 20_000, sendTimeoutMs: 20_000 });
  }, 60_000);
  afterAll(async () => {
    await under?.[Symbol.asyncDispose]();
    await servers?.[Symbol.asyncDispose]();
  });

  /** All messages of a channel, from its beginning. */
  async function messagesOf(channel: LogChannel): Promise<LogMessage[]> {
    const messages: LogMessage[] = [];
    let from: LogPosition | undefined;
    for (;;) {
      const one = await page(under.log, channel, { from, policy: unlimited });
      messages.push(...(one.items as LogMessage[]));
      if (one.atEnd) return messages;
      from = one.next;
    }
  }
  const unlimited = policyWith({ maxMessages: 1_000_000, maxBytes: 1 << 30 });

  async function killAndElect(victim: ValkeyProcess, key: string): Promise<ValkeyProcess> {
    await victim.kill();
    await until(async () => (await servers.primaryOf(key)) !== victim);
    return await servers.primaryOf(key);
  }

  async function bringBack(process: ValkeyProcess): Promise<void> {
    await process.restart();
    await untilSettled(servers);
  }

  it("stores through the move of a slot, in order and once, and acknowledges by replicas all the while", async () => {
    const channel = newChannel();
    const key = streamOf(channel);
    const source = await servers.primaryOf(key);
    const target = servers.processes.slice(0, 3).find((process) => process !== source) as ValkeyProcess;
    const load = new LogLoad(under.log, { channels: [channel], publishers: 8, policy: unlimited, pauseMs: 1 });
    await until(async () => load.acknowledgments.length > 100);
    await moveSlot(servers, key, source, target, async () => {
      // The keys are at the target, the slot is not yet: every append is redirected, and so is none of its WAITs.
      const before = load.acknowledgments.length;
      await until(async () => load.acknowledgments.length > before + 50);
    });
    const after = load.acknowledgments.length;
    await until(async () => load.acknowledgments.length > after + 100);
    await load.stop();
    expect(await servers.primaryOf(key)).toBe(target);
    expect(faultsOf(load, channel, await messagesOf(channel))).toEqual([]);
    expect(load.acknowledgments.filter(({ result }) => result.acknowledged !== "replica")).toEqual([]);
    expect({ refusals: [...load.refusals], unknown: load.unknown, open: load.open }).toEqual({
      refusals: [],
      unknown: 0,
      open: [],
    });
    expect(await messagesOf(channel)).toHaveLength(load.acknowledgments.length);
  }, 60_000);

  it("has its functions on a node that joined later", async () => {
    const channel = newChannel();
    const key = streamOf(channel);
    const { position } = await stored(under.log, appendOf(channel, 1));
    const added = await addNode(servers);
    expect(await added.command("FUNCTION", "LIST")).toBe("");
    await moveSlot(servers, key, await servers.primaryOf(key), added);
    const second = await stored(under.log, appendOf(channel, 2));
    expect(second).toMatchObject({ acknowledged: "primary", previousTag: position.tag }); // it has no replica
    expect(outline((await page(under.log, channel)).items)).toBe("1 2");
    await moveSlot(servers, key, added, servers.processes[0] as ValkeyProcess);
    servers.processes.splice(servers.processes.indexOf(added), 1);
    for (const process of servers.processes) {
      await process.command("CLUSTER", "FORGET", await added.command("CLUSTER", "MYID"));
    }
    await added[Symbol.asyncDispose]();
    await untilSettled(servers);
  }, 60_000);

  it("loses nothing that was acknowledged by a replica when a primary is killed under load", async () => {
    const channels = Array.from({ length: 12 }, () => newChannel());
    const key = streamOf(channels[0] as LogChannel);
    const victim = await servers.primaryOf(key);
    const load = new LogLoad(under.log, { channels, publishers: 30, policy: unlimited, pauseMs: 2 });
    await until(async () => load.acknowledgments.length > 500);
    await killAndElect(victim, key);
    const before = load.acknowledgments.length;
    await until(async () => load.acknowledgments.length > before + 500);
    await load.stop();
    for (const channel of channels) expect(faultsOf(load, channel, await messagesOf(channel))).toEqual([]);
    expect(load.open).toEqual([]);
    expect([...load.refusals]).toEqual([]);
    expect(load.acknowledgments.some(({ result }) => result.acknowledged === "primary")).toBe(true); // the survivor has no replica
    // Another node, which has never seen these channels, recognises what was stored before and after the failover.
    await using other = await openValkeyLog(servers);
    const newest = new Map(load.acknowledgments.map((one) => [`${one.channel.key} ${one.origin}`, one]));
    for (const { channel, origin, seq, result } of newest.values()) {
      const again = await stored(other.log, appendOf(channel, seq, { origin, policy: unlimited }));
      expect(again).toMatchObject({ repeated: true, position: result.position });
    }
    await bringBack(victim);
  }, 90_000);

  it("loses nothing either when a primary stands still, and wakes up when a replica has taken over", async () => {
    const channels = Array.from({ length: 12 }, () => newChannel());
    const key = streamOf(channels[0] as LogChannel);
    const victim = await servers.primaryOf(key);
    const load = new LogLoad(under.log, { channels, publishers: 30, policy: unlimited, pauseMs: 20 });
    await until(async () => load.acknowledgments.length > 500);
    victim.pause();
    await until(async () => (await servers.primaryOf(key)) !== victim);
    victim.resume();
    const before = load.acknowledgments.length;
    await until(async () => load.acknowledgments.length > before + 500);
    await load.stop();
    for (const channel of channels) expect(faultsOf(load, channel, await messagesOf(channel))).toEqual([]);
    expect({ refusals: [...load.refusals], open: load.open }).toEqual({ refusals: [], open: [] });
    await untilSettled(servers);
  }, 90_000);

  it("shows by its tags that writes were lost which only a primary had acknowledged", async () => {
    const channel = newChannel();
    const key = streamOf(channel);
    const first = await stored(under.log, appendOf(channel, 1));
    const victim = await servers.primaryOf(key);
    const [replica] = await servers.replicasOf(victim);
    replica?.pause();
    await victim.command("CLIENT", "KILL", "TYPE", "replica"); // what is written now is not even on its way
    const lost = [];
    for (const seq of [2, 3, 4]) lost.push(await stored(under.log, appendOf(channel, seq, { policy: primaryOnly })));
    await victim.kill();
    replica?.resume();
    await until(async () => (await servers.primaryOf(key)) === replica);

    const ahead = await under.log.read({ ...readFrom(channel), from: lost[2]?.position });
    expect(ahead).toMatchObject({ verdict: "forked", head: first.position });
    for (const seq of [5, 6, 7]) await stored(under.log, appendOf(channel, seq));
    for (const { position } of lost) {
      expect(await under.log.read({ ...readFrom(channel), from: position })).toMatchObject({ verdict: "forked" });
    }
    expect(outline((await page(under.log, channel, { from: first.position })).items)).toBe("2 3 4");
    // A repeat of what was lost: newer messages of its origin are stored, so it cannot be stored behind them.
    await expect(under.log.append(appendOf(channel, 3))).rejects.toThrow();
    await bringBack(victim);
  }, 90_000);

  function readFrom(channel: LogChannel) {
    return { channel, policy: policyWith(), direction: "forward", limit: 100, maxBytes: 1 << 20 } as const;
  }
});
