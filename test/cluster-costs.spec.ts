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

/** Probes of lanes that nodes have published. */
async function probesOf(nodes: readonly TestServer[]): Promise<number> {
  const texts = await Promise.all(nodes.map(async ({ server }) => await (await fetch(`${server.url}/metrics`)).text()));
  return texts.reduce((sum, text) => sum + Number(/^fanfare_broker_lane_probes_total (\d+)/m.exec(text)?.[1]), 0);
}

/** Commands of these names during some work that all nodes have a part in, without the probes of their lanes, which are so many a second. */
async function costOfWork(
  valkey: ValkeyServers,
  nodes: readonly TestServer[],
  work: () => Promise<void>,
  names: RegExp,
): Promise<number> {
  const before = await probesOf(nodes);
  const counts = await commandsDuring(valkey, work);
  const probes = (await probesOf(nodes)) - before;
  return total(counts, names) - (names.test("publish") ? probes : 0);
}

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

  const published = /^s?publish/;
  const sent = /^(publish|spublish|hkeys|hgetall|fcall|fcall_ro|role|wait)/;

  /** Publishes to a group on the other node, `inTurn` messages at once, and returns the commands that one message cost, probes left out. */
  async function costOf(group: string, messages: number, inTurn: number, names = sent): Promise<number> {
    const receiver = await two.join(`receiver-${group}`, { hello: { features: ["durable"] } });
    await receiver.subscribe(group);
    const sender = await one.join(`sender-${group}`, {});
    await sender.publish(group, "first");
    const work = async () => {
      for (let sent = 0; sent < messages; sent += inTurn) {
        await Promise.all(Array.from({ length: inTurn }, (_, i) => sender.publish(group, `${sent + i}`)));
      }
      await receiver.received(messages + 1);
    };
    const cost = await costOfWork(valkey, [one, two], work, names);
    for (const client of [receiver, sender]) client.cut();
    return cost / messages;
  }

  it("is a few commands for a message that is alone, and falls with how many there are at once", async () => {
    const alone = await costOf("alone", 200, 1);
    const together = await costOf("together", 2_000, 100);
    // A message alone: its route is read, with a mark behind it, it is sent, and its acknowledgement comes back: 5, with leases and what is sent again on top.
    expect(alone).toBeLessThan(5.5);
    expect(together).toBeLessThan(0.2);
  }, 30_000);

  it("is an append for a durable message, with its share of what proves it: the append tells where the message goes", async () => {
    const calls = /^fcall/;
    let settling = 0;
    // A run of Valkey is believed when it has been known for a while.
    await until(async () => (await costOf(`durable:settling-${settling++}`, 20, 1, calls)) < 3);
    const alone = await costOf("durable:alone", 200, 1, calls);
    const together = await costOf("durable:together", 2_000, 100, calls);
    // Alone: the append, a mark behind it, and what is going on anyway. Reading the route would be two more.
    expect(alone).toBeLessThan(2.4);
    expect(together).toBeLessThan(1.1);
    // With its role, the batch that tells of it and an acknowledgement.
    const all = await costOf("durable:all", 200, 1);
    expect(all).toBeLessThan(5.7);
  }, 60_000);

  it("sends nothing of a group to other nodes when all its subscribers are on the publisher's", async () => {
    const local = await one.join("local", {});
    await local.subscribe("only-here");
    const work = async () => {
      for (let i = 0; i < 200; i++) await local.publish("only-here", `${i}`);
    };
    // Probes may be counted a moment apart: a round of them, of both nodes.
    expect(await costOfWork(valkey, [one, two], work, published)).toBeLessThan(2 * 16);
    local.cut();
  });

  it("sends a group's messages to the node that has a subscriber, and nothing to one that has none", async () => {
    await using three = await startTestServer({ valkey, clusterKey, limits, nodeId: "three" });
    const messages = 200;
    const receiver = await two.join("away-receiver", { hello: { features: ["durable"] } });
    const sender = await one.join("away-sender", {});
    for (const group of ["away", "durable:away"]) {
      await receiver.subscribe(group);
      receiver.forgetFrames();
      const before = { ...three.server.node.linkCounters };
      const heardBefore = two.server.node.linkCounters.recordsIn;
      const work = async () => {
        for (let i = 0; i < messages; i++) await sender.publish(group, `${i}`);
        await receiver.received(messages);
      };
      const cost = await costOfWork(valkey, [one, two, three], work, published);
      const { recordsIn, batchesIn, sharedPast } = three.server.node.linkCounters;
      expect([recordsIn, sharedPast]).toEqual([before.recordsIn, before.sharedPast]);
      // It has just joined: a last acknowledgement may have come meanwhile.
      expect(batchesIn - before.batchesIn).toBeLessThan(5);
      expect(two.server.node.linkCounters.recordsIn - heardBefore).toBeGreaterThanOrEqual(messages);
      // A batch, and its acknowledgement; to the third node it would be as many again.
      expect(cost / messages).toBeLessThan(2.5);
    }
    for (const client of [receiver, sender]) client.cut();
  }, 30_000);

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
    const work = async () => {
      for (let i = 0; i < messages; i++) await sender.publish(broadcast, text);
      for (const receiver of receivers) await receiver.received(messages + 20);
      bytes = await bytesIn(valkey);
    };
    // One publish, and the acknowledgement of each of the others.
    const cost = await costOfWork(valkey, [one, two, three, four], work, published);
    expect(cost / messages).toBeLessThan(4.5);
    expect(bytes / messages).toBeLessThan(1.3 * text.length);
    for (const client of [sender, ...receivers]) client.cut();
  }, 60_000);

  it("is the same in a while without players and with 5,000 who are idle, heartbeats and all", async () => {
    const whileMs = 6_000;
    const idle = () => new Promise<void>((resolve) => setTimeout(resolve, whileMs));
    await using alone = await startStandalone();
    const timing = { heartbeatIntervalMs: 1_000, heartbeatTimeoutMs: 30_000 };
    const options = { valkey: alone, clusterKey, limits, timing };
    await using first = await startTestServer({ ...options, nodeId: "first" });
    await using second = await startTestServer({ ...options, nodeId: "second" });
    const cost = () => costOfWork(alone, [first, second], idle, /./);
    const probesBefore = await probesOf([first, second]);
    const without = await cost();
    // Of 16 lanes a second each; and two leases that are renewed, and looked at, every 1.5 s.
    expect(without).toBeLessThan(150);
    expect(without + (await probesOf([first, second])) - probesBefore).toBeLessThan(350);
    const players: TestClient[] = [];
    for (let i = 0; i < 5_000; i += 250) {
      const some = Array.from({ length: 250 }, (_, j) => (j % 2 === 0 ? first : second).join(`idle-${i + j}`, {}));
      players.push(...(await Promise.all(some)));
    }
    const pings = () => players.map(({ kinds }) => kinds.filter((kind) => kind === "ping").length);
    // All have had one, so what a connect costs is over.
    await until(async () => pings().every((count) => count > 0));
    const pingsBefore = pings();
    const withPlayers = await cost();
    const beats = pings().map((count, i) => count - (pingsBefore[i] ?? 0));
    expect(Math.min(...beats)).toBeGreaterThan(1);
    // A window may have one renewal of both leases more than the other, and at each end a round of probes that are counted a moment apart.
    expect(Math.abs(withPlayers - without), `${without}, ${withPlayers}`).toBeLessThanOrEqual(2 * (16 + 8));
  }, 120_000);
});
