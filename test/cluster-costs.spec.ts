import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TestClient } from "../server/src/testing/test-client.ts";
import { startTestServer, type TestServer } from "../server/src/testing/test-server.ts";
import { startStandalone, until, type ValkeyServers } from "../server/src/testing/valkey-processes.ts";
import { requireTool } from "./require-tool.ts";

const clusterKey = "signs the resume secrets of nodes whose commands are counted";
const limits = {
  publishesPerSecond: 1_000_000,
  publishBurst: 1_000_000,
  framesPerSecond: 1_000_000,
  handshakesPerSecond: 100_000,
  maxConnectionsPerAddress: 100_000,
};

/** Calls of each command since the last reset, by `INFO commandstats`; those that tests send themselves are left out. */
async function commandsOf(valkey: ValkeyServers): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const process of valkey.processes) {
    const info = await process.command("INFO", "commandstats");
    for (const [, name = "", calls] of info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
      if (!/^(info|config|ping|client|acl)/.test(name)) counts.set(name, (counts.get(name) ?? 0) + Number(calls));
    }
  }
  return counts;
}

/** Bytes that all servers have got since the last reset. */
async function bytesIn(valkey: ValkeyServers): Promise<number> {
  const infos = await Promise.all(valkey.processes.map((process) => process.command("INFO", "stats")));
  return infos.reduce((sum, info) => sum + Number(/^total_net_input_bytes:(\d+)/m.exec(info)?.[1]), 0);
}

async function commandsDuring(valkey: ValkeyServers, work: () => Promise<void>): Promise<Map<string, number>> {
  for (const process of valkey.processes) await process.command("CONFIG", "RESETSTAT");
  await work();
  return commandsOf(valkey);
}

const total = (counts: ReadonlyMap<string, number>, names = /./) =>
  [...counts].reduce((sum, [name, calls]) => sum + (names.test(name) ? calls : 0), 0);

describe.skipIf(requireTool("valkey-server") === undefined)("what a cluster costs its Valkey", () => {
  let valkey: ValkeyServers;
  let one: TestServer;
  let two: TestServer;

  beforeAll(async () => {
    valkey = await startStandalone();
    const options = { valkey, clusterKey, limits };
    one = await startTestServer({ ...options, nodeId: "one" });
    two = await startTestServer({ ...options, nodeId: "two" });
  }, 60_000);
  afterAll(async () => {
    await one?.[Symbol.asyncDispose]();
    await two?.[Symbol.asyncDispose]();
    await valkey?.[Symbol.asyncDispose]();
  });

  const sent = /^(publish|spublish|hkeys|hgetall|fcall|fcall_ro|role|wait)/;

  /** Publishes to a group on the other node, `inTurn` messages at once, and returns the commands that one message cost. */
  async function costOf(group: string, messages: number, inTurn: number, names = sent): Promise<number> {
    const receiver = await two.join(`receiver-${group}`, { hello: { features: ["durable"] } });
    await receiver.subscribe(group);
    const sender = await one.join(`sender-${group}`, {});
    await sender.publish(group, "first");
    const counts = await commandsDuring(valkey, async () => {
      for (let sent = 0; sent < messages; sent += inTurn) {
        await Promise.all(Array.from({ length: inTurn }, (_, i) => sender.publish(group, `${sent + i}`)));
      }
      await receiver.received(messages + 1);
    });
    for (const client of [receiver, sender]) client.cut();
    return total(counts, names) / messages;
  }

  it("is a few commands for a message that is alone, and falls with how many there are at once", async () => {
    const alone = await costOf("alone", 200, 1);
    const together = await costOf("together", 2_000, 100);
    // A message alone: its route is read and it is sent, and its acknowledgement comes back; probes and leases are among them.
    expect(alone).toBeLessThan(8);
    expect(together).toBeLessThan(alone / 8);
  }, 30_000);

  it("is an append for a durable message, with its share of what proves it: the append tells where the message goes", async () => {
    const calls = /^fcall/;
    let settling = 0;
    // A run of Valkey is believed when it has been known for a while.
    await until(async () => (await costOf(`durable:settling-${settling++}`, 20, 1, calls)) < 3);
    const alone = await costOf("durable:alone", 200, 1, calls);
    const together = await costOf("durable:together", 2_000, 100, calls);
    // Alone: the append, a mark behind it, and what is going on anyway. Reading the route would be two more.
    expect(alone).toBeLessThan(3);
    expect(together).toBeLessThan(1.1);
    const all = await costOf("durable:all", 200, 1);
    expect(all).toBeLessThan(8);
  }, 60_000);

  it("sends a group's messages only to nodes that have a subscriber", async () => {
    const local = await one.join("local", {});
    await local.subscribe("only-here");
    const counts = await commandsDuring(valkey, async () => {
      for (let i = 0; i < 200; i++) await local.publish("only-here", `${i}`);
    });
    // Its own node's messages take no lane; what is published is the probes of both nodes.
    expect(total(counts, /^s?publish/)).toBeLessThan(100);
    local.cut();
  });

  it("publishes a broadcast once, with its bytes, however many nodes get it", async () => {
    const messages = 200;
    const text = "x".repeat(4_000);
    const broadcast = { case: "broadcast" as const, value: true };
    const options = { valkey, clusterKey, limits };
    await using three = await startTestServer({ ...options, nodeId: "three" });
    await using four = await startTestServer({ ...options, nodeId: "four" });
    const receivers = await Promise.all([two, three, four].map((node, i) => node.join(`broadcast-receiver-${i}`)));
    const sender = await one.join("broadcaster", { caps: ["publish:broadcast"] });
    // So that links have more credit than they begin with.
    for (let i = 0; i < 20; i++) await sender.publish(broadcast, text);
    let bytes = 0;
    const counts = await commandsDuring(valkey, async () => {
      for (let i = 0; i < messages; i++) await sender.publish(broadcast, text);
      for (const receiver of receivers) await receiver.received(messages + 20);
      bytes = await bytesIn(valkey);
    });
    // One publish, and the acknowledgement of each of the others; probes and leases are among them.
    expect(total(counts, /^s?publish/) / messages).toBeLessThan(5.5);
    expect(bytes / messages).toBeLessThan(1.5 * text.length);
    for (const client of [sender, ...receivers]) client.cut();
  }, 60_000);

  it("is the same in a while without players and with 5,000 who are idle", async () => {
    const whileMs = 6_000;
    // Routes stay for a second after their last subscriber.
    const settled = () => new Promise<void>((resolve) => setTimeout(resolve, 3_000));
    const idle = () => new Promise<void>((resolve) => setTimeout(resolve, whileMs));
    await until(async () => one.counters.sessions + two.counters.sessions === 0, 60_000);
    await settled();
    const without = await commandsDuring(valkey, idle);
    const players: TestClient[] = [];
    for (let i = 0; i < 5_000; i += 250) {
      const some = Array.from({ length: 250 }, (_, j) => (j % 2 === 0 ? one : two).join(`idle-${i + j}`, {}));
      players.push(...(await Promise.all(some)));
    }
    await settled();
    const withPlayers = await commandsDuring(valkey, idle);
    const difference = Math.abs(total(withPlayers) - total(without));
    // Probes and renewals are periodic: one window may have one round of both nodes more than the other, of 16 lanes and a lease.
    const seen = JSON.stringify([[...without], [...withPlayers]]);
    expect(difference, seen).toBeLessThanOrEqual(2 * (16 + 5));
    expect(total(without)).toBeLessThan(600);
    for (const player of players) player.cut();
  }, 120_000);
});
