import { create, toBinary } from "@bufbuild/protobuf";
import { NodeRecordSchema, NodeState } from "@fanfare/proto/cluster/v1alpha";
import { beforeEach, describe, expect, it } from "vitest";
import type { Broker } from "../../broker/broker.ts";
import type { Registry, RegistryShard } from "../../broker/registry.ts";
import { silentLog } from "../../observe/log.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { broadcastKey } from "../../wire/channel-key.ts";
import type { LinkOutcome, LinkReceiver, LinkRecord } from "../links/link-port.ts";
import { Cluster, type NodeLinks } from "./cluster.ts";

const everything = { appId: "game", key: broadcastKey };
const settled = async () => {
  for (let i = 0; i < 50; i++) await Promise.resolve();
};

/** One shard that can lose what it has. */
class ForgetfulRegistry implements Registry {
  readonly shardCount = 1;
  readonly #records = new Map<bigint, Uint8Array>();

  async renew(incarnation: bigint, record: Uint8Array): Promise<readonly RegistryShard[]> {
    this.#records.set(incarnation, record);
    const nodes = [...this.#records].map(([other, its]) => ({ incarnation: other, record: its, ageMs: 0 }));
    return [{ nodes, unsettled: false }];
  }

  async remove(incarnation: bigint): Promise<void> {
    this.#records.delete(incarnation);
  }

  forget(): void {
    this.#records.clear();
  }
}

describe("greetings", () => {
  let clock: VirtualClock;
  let registry: ForgetfulRegistry;
  let receivers: Map<bigint, LinkReceiver>;
  /** What happened to live channels of each node, in order. */
  let told: string[];
  /** Links carry nothing. */
  let isCut: boolean;
  /** At each inbox. */
  let listeners: number;

  beforeEach(() => {
    listeners = 1;
    clock = new VirtualClock();
    registry = new ForgetfulRegistry();
    receivers = new Map();
    told = [];
    isCut = false;
  });

  function linksOf(self: bigint): NodeLinks {
    const send = (to: bigint, { bytes }: LinkRecord, settle: (outcome: LinkOutcome) => void = () => {}): void => {
      if (isCut) return void clock.setTimer(3_000, () => settle("failed"));
      queueMicrotask(() => receivers.get(to)?.onRecords(self, [bytes], () => () => {}));
    };
    return {
      ...{ send, addPeer: () => {}, removePeer: () => {}, heardAtMs: () => clock.monotonicMs() },
      sendToMany: (to, record) => {
        for (const one of to) send(one, record);
      },
      listen: async () => {},
      [Symbol.dispose]: () => {},
    };
  }

  /** A node with clients of one app. */
  function node(incarnation: bigint): Cluster {
    const broker = {
      registry,
      lanes: { count: 1, publish: async () => listeners },
      routes: { onUnsettled: () => () => {} },
    } as unknown as Broker;
    const cluster = new Cluster({
      ...{ broker, clock, incarnation, log: silentLog, onIsolated: () => {} },
      openLinks: (receiver) => {
        receivers.set(incarnation, receiver);
        return linksOf(incarnation);
      },
      describe: () => create(NodeRecordSchema, { nodeId: `${incarnation}` }),
    });
    const note = (what: string) => void told.push(`${incarnation} ${what}`);
    cluster.attach("game", {
      receiveLive: () => {
        note("receives");
        return true;
      },
      receiveStored: () => true,
      missed(isAffected) {
        if (isAffected(broadcastKey)) note("may have missed something");
        this.lookAgain(isAffected);
      },
      lookAgain: (isAffected) => isAffected(broadcastKey) && note("looks into its logs"),
    });
    return cluster;
  }

  /** Sends a live message to everybody. */
  function broadcast(from: Cluster): void {
    const body = new Uint8Array();
    const identity = { channel: everything, body, origin: from.incarnation, seq: 1, excludeSelf: false };
    const live = { ...identity, volatile: false, conflation: "", expiresAtMs: 0, unrouted: false };
    from.resolve(everything, () => from.delivery.live(from.othersOf("everybody"), live, false, () => {}));
  }

  /** Lets time pass, a renewal after the other. */
  async function pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 500) {
      clock.advance(500);
      await settled();
    }
  }

  it("make who joins known before it serves, and nobody has missed anything", async () => {
    const [one, other] = [node(1n), node(2n)];
    await one.join();
    await other.join();
    for (const cluster of [one, other]) expect(cluster.nodes.state).toBe(NodeState.READY);
    broadcast(one);
    broadcast(other);
    await pass(5_000);
    expect(told).toEqual(["2 receives", "1 receives"]);
  });

  it("tell both who did not know each other that they may have missed something, before anything newer comes", async () => {
    const [one, other] = [node(1n), node(2n)];
    await one.join();
    registry.forget();
    await other.join();
    expect([one.peers, other.peers]).toEqual([[], []]);
    broadcast(one);
    broadcast(other);
    const known = new Set<bigint>();
    for (const cluster of [one, other]) {
      cluster.onNode(({ incarnation }) => {
        if (!known.has(incarnation)) broadcast(cluster);
        known.add(incarnation);
      });
    }
    await pass(1_500);
    const missed = (who: number) => [`${who} may have missed something`, `${who} looks into its logs`];
    expect(told.filter((line) => line.startsWith("1"))).toEqual([...missed(1), "1 receives"]);
    expect(told.filter((line) => line.startsWith("2"))).toEqual([...missed(2), "2 receives"]);
    expect([one.peers, other.peers]).toEqual([[2n], [1n]]);
    told = [];
    await pass(5_000);
    expect(told).toEqual([]);
  });

  it("are not waited for from who stops to listen meanwhile, as a former incarnation does after an outage", async () => {
    isCut = true;
    await registry.renew(1n, toBinary(NodeRecordSchema, create(NodeRecordSchema, { nodeId: "1" })));
    const joining = node(2n);
    const joined = joining.join();
    await pass(500);
    listeners = 0;
    await pass(3_000);
    expect(joining.nodes.state).toBe(NodeState.READY);
    await joined;
  });

  it("are sent again until they are answered", async () => {
    const [one, other] = [node(1n), node(2n)];
    await one.join();
    registry.forget();
    await other.join();
    isCut = true;
    await pass(8_000);
    expect(told).toEqual([]);
    isCut = false;
    await pass(4_000);
    for (const who of ["1", "2"]) expect(told).toContain(`${who} may have missed something`);
  });
});
