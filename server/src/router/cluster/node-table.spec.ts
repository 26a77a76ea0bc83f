import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { NodeRecordSchema, NodeState } from "@fanfare/proto/cluster/v1alpha";
import { beforeEach, describe, expect, it } from "vitest";
import type { RegisteredNode, Registry, RegistryShard } from "../../broker/registry.ts";
import { silentLog } from "../../observe/log.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { NodeTable } from "./node-table.ts";

const self = 1n;
const peer = 2n;
const leaseMs = 6_000;
const settled = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

/** A registry of three shards whose answers a test writes. */
class ScriptedRegistry implements Registry {
  readonly shardCount = 3;
  readonly down = new Set<number>();
  readonly unsettled = new Set<number>();
  /** Shards from which this node was removed. */
  readonly evicted = new Set<number>();
  /** Age of the peer's lease by shard; undefined: it is not there. */
  peerAgesMs: (number | undefined)[] = [undefined, undefined, undefined];
  readonly states: NodeState[] = [];
  removed: bigint[] = [];

  async renew(_incarnation: bigint, record: Uint8Array): Promise<readonly (RegistryShard | undefined)[]> {
    this.states.push(fromBinary(NodeRecordSchema, record).state);
    return [0, 1, 2].map((shard) => {
      if (this.down.has(shard)) return undefined;
      const ageMs = this.peerAgesMs[shard];
      const nodes: RegisteredNode[] =
        ageMs === undefined ? [] : [{ incarnation: peer, record: recordOf("other"), ageMs }];
      return { nodes, unsettled: this.unsettled.has(shard), evicted: this.evicted.has(shard) };
    });
  }

  async remove(incarnation: bigint): Promise<void> {
    this.removed.push(incarnation);
  }
}

function recordOf(nodeId: string, incarnation = peer): Uint8Array {
  return toBinary(NodeRecordSchema, create(NodeRecordSchema, { nodeId, incarnation, state: NodeState.READY }));
}

describe("NodeTable", () => {
  let clock: VirtualClock;
  let registry: ScriptedRegistry;
  let table: NodeTable;
  let heardAtMs: number;
  let isListening: boolean;
  let told: string[];

  beforeEach(() => {
    clock = new VirtualClock();
    registry = new ScriptedRegistry();
    heardAtMs = Number.NEGATIVE_INFINITY;
    isListening = true;
    told = [];
    table = new NodeTable({
      registry,
      clock,
      log: silentLog,
      incarnation: self,
      leaseMs,
      describe: () => ({
        nodeId: "self",
        version: "0",
        minRevision: 1,
        maxRevision: 1,
        startedAtMs: 0n,
        connections: 0,
        sessions: 0,
        settingsVersion: 0n,
        clientUrl: "",
        settingsRevision: 0,
        lanes: 0,
        clusterKeys: [],
      }),
      heardAtMs: () => heardAtMs,
      isListening: async () => isListening,
      onJoined: (incarnation) => void told.push(`joined ${incarnation}`),
      onDead: (incarnation) => void told.push(`dead ${incarnation}`),
      onUncleared: (incarnation) => void told.push(`uncleared ${incarnation}`),
      onChanged: () => {},
      onLapsed: () => void told.push("lapsed"),
    });
  });

  /** Lets time pass, a renewal after the other. */
  async function pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 500) {
      clock.advance(500);
      await settled();
    }
  }

  it("learns of a node from any shard, and renews its own lease in all of them", async () => {
    registry.peerAgesMs = [undefined, 10, undefined];
    await table.open();
    expect(told).toEqual(["joined 2"]);
    expect([...table.peers.keys()]).toEqual([peer]);
    await table.joined();
    await pass(3_000);
    expect(registry.states).toEqual([NodeState.JOINING, NodeState.READY, NodeState.READY, NodeState.READY]);
    await table.close();
    expect(registry.removed).toEqual([self]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("counts a node as dead when no shard has a young lease of it and its link is silent", async () => {
    registry.peerAgesMs = [10, 10, 10];
    await table.open();
    registry.peerAgesMs = [7_000, 7_000, undefined];
    heardAtMs = clock.monotonicMs();
    await pass(5_000);
    expect(told).toEqual(["joined 2"]);
    await pass(3_000);
    expect(told.slice(0, 2)).toEqual(["joined 2", "dead 2"]);
    expect(new Set(told.slice(2))).toEqual(new Set(["uncleared 2"]));
    expect(table.isDead(peer)).toBe(true);
    registry.peerAgesMs = [10, 10, 10];
    told = [];
    await pass(3_000);
    expect(told).toEqual([]);
  });

  it("removes a dead node that goes on renewing its lease, and not one whose last renewal was before", async () => {
    registry.peerAgesMs = [10, 10, 10];
    await table.open();
    table.bury(peer);
    for (const ageMs of [500, 2_000, 3_500]) {
      registry.peerAgesMs = [ageMs, ageMs, undefined];
      await pass(1_500);
    }
    expect(registry.removed).toEqual([]);
    registry.peerAgesMs = [undefined, 300, undefined];
    await pass(1_500);
    expect(registry.removed).toEqual([peer]);
    expect(table.peers.size).toBe(0);
  });

  it("lapses when another has removed it: the others count it as dead", async () => {
    await table.open();
    await pass(3_000);
    registry.evicted.add(1);
    await pass(1_500);
    expect([told, table.isReachable]).toEqual([["lapsed"], false]);
    const renewals = registry.states.length;
    await pass(6_000);
    expect([told, registry.states.length]).toEqual([["lapsed"], renewals]);
  });

  it("lets a node live that has renewed its lease in one shard, and shards kill nobody that have just changed", async () => {
    registry.peerAgesMs = [10, 10, 10];
    await table.open();
    registry.peerAgesMs = [undefined, 10, undefined];
    await pass(20_000);
    registry.peerAgesMs = [undefined, undefined, undefined];
    registry.unsettled.add(0).add(1).add(2);
    await pass(20_000);
    expect(told).toEqual(["joined 2"]);
    registry.unsettled.clear();
    await pass(4_000);
    expect(told).toEqual(["joined 2"]);
    await pass(4_000);
    expect(told).toEqual(["joined 2", "dead 2"]);
  });

  it("waits half as long for a node at whose inbox nobody listens", async () => {
    registry.peerAgesMs = [10, 10, 10];
    await table.open();
    registry.peerAgesMs = [3_500, 3_500, 3_500];
    await pass(3_000);
    expect(told).toEqual(["joined 2"]);
    isListening = false;
    await pass(1_500);
    expect(told).toEqual(["joined 2", "dead 2"]);
  });

  it("buries who died before it came, as its old record tells, and says as long as that is there that it was not cleared away", async () => {
    registry.peerAgesMs = [60_000, 60_000, undefined];
    await table.open();
    await pass(5_000);
    expect(told).toEqual([]);
    await pass(2_500);
    expect(told).toEqual(["dead 2"]);
    await pass(1_500);
    expect(told).toContain("uncleared 2");
    told = [];
    registry.peerAgesMs = [undefined, undefined, undefined];
    await pass(6_000);
    expect(told).toEqual([]);
  });

  it("buries who died before it came as soon as shards that have just changed are believed, and no lease later", async () => {
    registry.peerAgesMs = [60_000, 60_000, undefined];
    for (const shard of [0, 1, 2]) registry.unsettled.add(shard);
    await table.open();
    await pass(6_000);
    registry.unsettled.clear();
    await pass(5_000);
    expect(told).toEqual([]);
    await pass(2_500);
    expect(told[0]).toBe("dead 2");
  });

  it("buries whom a route names and nobody has heard of, unless it turns up", async () => {
    await table.open();
    table.named(peer);
    await pass(8_000);
    expect(told).toEqual(["dead 2"]);
    expect(table.isDead(peer)).toBe(true);
  });

  it("buries in half a lease whom a route names, if nobody listens at its inbox", async () => {
    await table.open();
    table.named(peer);
    await pass(2_500);
    isListening = false;
    expect(told).toEqual([]);
    await pass(2_500);
    expect(told).toEqual(["dead 2"]);
  });

  it("takes for alive whom a route has named before the registry did", async () => {
    await table.open();
    table.named(peer);
    await pass(3_000);
    registry.peerAgesMs = [10, 10, 10];
    await pass(10_000);
    expect(told).toEqual(["joined 2"]);
  });

  it("knows that it has lapsed when most shards have not taken its renewal for the life of the lease", async () => {
    await table.open();
    registry.down.add(0);
    await pass(20_000);
    expect([told, table.isReachable]).toEqual([[], true]);
    registry.down.add(1);
    await pass(5_000);
    expect([told, table.isReachable]).toEqual([[], false]);
    await pass(3_500);
    expect(told).toEqual(["lapsed"]);
  });

  it("knows that it has lapsed when it stood still for the life of the lease, before it renews anything", async () => {
    await table.open();
    await pass(3_000);
    const renewals = registry.states.length;
    clock.stall(leaseMs + 500);
    clock.runTimers();
    expect(told).toEqual(["lapsed"]);
    expect(registry.states).toHaveLength(renewals);
  });

  it("is a member from when it has joined until its lease has ended, also before it knows that", async () => {
    await table.open();
    expect(table.isMember).toBe(false);
    await table.joined();
    expect(table.isMember).toBe(true);
    await pass(3_000);
    expect(table.isMember).toBe(true);
    clock.stall(leaseMs + 500);
    expect([table.isMember, told]).toEqual([false, []]);
  });

  it("is no member while it joins, also if it is to send its clients away", async () => {
    await table.open();
    await table.drain();
    expect([table.isMember, registry.states.at(-1)]).toEqual([false, NodeState.JOINING]);
    await table.joined();
    expect([table.isMember, registry.states.at(-1)]).toEqual([true, NodeState.DRAINING]);
  });

  it("is the one who clears away behind the dead, beside newcomers who may not have known them", async () => {
    await table.open();
    heardAtMs = Number.POSITIVE_INFINITY;
    expect(table.isFirst).toBe(true);
    table.greeted(recordOf("higher", 9n));
    table.greeted(recordOf("lower", 0n));
    await pass(leaseMs - 500);
    expect(table.isFirst).toBe(true);
    await pass(500);
    expect(table.isFirst).toBe(false);
    table.bury(0n);
    expect(table.isFirst).toBe(true);
  });

  it("takes up a node that greets, and forgets one that says farewell", async () => {
    await table.open();
    table.greeted(recordOf("other"));
    table.bury(peer);
    table.greeted(recordOf("other"));
    expect(told).toEqual(["joined 2", "dead 2"]);
  });
});
