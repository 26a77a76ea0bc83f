import { create, toBinary } from "@bufbuild/protobuf";
import { BatchSchema } from "@fanfare/proto/cluster/v1alpha";
import { describe, expect, it } from "vitest";
import { decodeBatch } from "./batch-decoding.ts";
import type { Publish } from "./testing/hostile-lanes.ts";
import { LinkScenario, type ScenarioNode } from "./testing/link-scenario.ts";

/** What a publish carries. */
function batchOf({ bytes }: Publish) {
  const batch = decodeBatch(bytes);
  if (batch === undefined) throw new Error("no batch was published");
  return batch;
}

const numbered = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

describe("credit", () => {
  it("stops a sender whose receiver does not keep up, and starts it again when it does", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    const releases: (() => void)[] = [];
    b.onRecords = (keep) => releases.push(keep());
    for (let i = 0; i < 500; i++) a.send(b, `${i} ${"x".repeat(5_000)}`);
    await scenario.runFor(500);
    const before = b.received.length;
    // A megabyte, and what was in the batch that used it up.
    expect(before * 5_000).toBeLessThan(1_100_000);
    expect(before).toBeGreaterThan(1);
    b.onRecords = () => {};
    for (const release of releases) b.process.run(release);
    await scenario.runFor(20);
    expect(b.received).toHaveLength(500);
  });

  it("is granted anew before it is used up", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    for (let i = 0; i < 800; i++) a.send(b, "x".repeat(4_900));
    // Five times what may be on its way at once; with nothing but acknowledgements it takes 25 ms.
    await scenario.runFor(20);
    expect(b.received).toHaveLength(800);
  });

  it("does not fall when what was said before arrives late", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    a.send(b, "first");
    await scenario.runFor(20);
    const late = { revision: 1, from: b.incarnation, to: a.incarnation, credit: 1n };
    const lanes = scenario.network.lanesOf(b.incarnation, b.process);
    void lanes.publish(0, a.incarnation, toBinary(BatchSchema, create(BatchSchema, late)));
    await scenario.runFor(20);
    a.send(b, "second");
    await scenario.runFor(20);
    expect(b.texts).toEqual(["first", "second"]);
  });

  it("is not needed to tell of losses, of which one message is on its way at a time", async () => {
    const scenario = new LinkScenario({ options: { maxLiveBytes: 10_000, lanesBeforeSuspension: 1_000 } });
    const [a, b] = [scenario.node(0), scenario.node(1)];
    b.process.freeze();
    for (let i = 0; i < 1_000; i++) {
      a.send(b, "x".repeat(1_000), { key: `g:${i % 3}` });
      await scenario.runFor(1);
    }
    expect(a.links.counters.recordsFailed).toBeGreaterThan(900);
    expect(a.links.counters.lossesOut).toBeLessThanOrEqual(1);
    b.process.thaw();
    await scenario.runFor(2_000);
    expect(b.losses.flat().length).toBeGreaterThanOrEqual(3);
    const { recordsDelivered, recordsFailed, recordsUnknown } = a.links.counters;
    expect(recordsDelivered + recordsFailed + recordsUnknown).toBe(1_000);
    expect(b.received).toHaveLength(recordsDelivered);
  });

  it("is asked for when its message was lost", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    let release = () => {};
    b.onRecords = (keep) => {
      const before = release;
      const next = keep();
      release = () => {
        before();
        next();
      };
    };
    const sent = numbered(30).map((text) => a.send(b, text.padEnd(50_000)));
    await scenario.runFor(400);
    const before = b.received.length;
    expect(before).toBeLessThan(30);
    scenario.network.loses = ({ from }) => from === b.incarnation;
    b.onRecords = () => {};
    b.process.run(release);
    await scenario.runFor(20);
    expect(b.received).toHaveLength(before);
    scenario.network.loses = () => false;
    await scenario.runFor(550);
    expect(b.received).toHaveLength(30);
    expect(sent.every(({ outcome }) => outcome === "delivered")).toBe(true);
  });

  it("lets no stalled peer delay another one", async () => {
    const scenario = new LinkScenario({ nodes: 3 });
    const [a, b, c] = [scenario.node(0), scenario.node(1), scenario.node(2)];
    b.process.freeze();
    for (let i = 0; i < 200; i++) {
      for (let j = 0; j < 20; j++) a.send(b, "x".repeat(2_000));
      const sent = a.send(c, `${i}`);
      await scenario.runFor(10);
      expect((c.receivedMs(`${i}`) ?? Infinity) - (scenario.nowMs - 10)).toBeLessThan(5);
      expect(sent.outcome ?? "pending").not.toBe("failed");
    }
    const { waitingBytes, unacknowledgedBytes, laneMoves } = a.links.counters;
    expect(waitingBytes).toBeLessThanOrEqual(4 << 20);
    expect(unacknowledgedBytes).toBeLessThan((1 << 20) + 10_000);
    expect(laneMoves).toBeLessThan(5);
  });
});

describe("peers", () => {
  it("are found out by what they send, and answered", async () => {
    const scenario = new LinkScenario({ areStrangers: true });
    const [a, b] = [scenario.node(0), scenario.node(1)];
    a.links.addPeer(b.incarnation);
    const sent = a.send(b, "one");
    expect(a.links.heardAtMs(b.incarnation)).toBe(Number.NEGATIVE_INFINITY);
    await scenario.runFor(20);
    expect(b.texts).toEqual(["one"]);
    expect(sent.outcome).toBe("delivered");
    expect(b.links.heardAtMs(a.incarnation)).toBeGreaterThan(0);
    b.send(a, "back");
    await scenario.runFor(20);
    expect(a.texts).toEqual(["back"]);
  });

  it("that are not known get nothing", async () => {
    const scenario = new LinkScenario({ areStrangers: true });
    const sent = scenario.node(0).send(scenario.node(1), "one");
    expect(sent.outcome).toBeUndefined();
    await scenario.runFor(20);
    expect(sent.outcome).toBe("failed");
    expect(scenario.published).toEqual([]);
  });

  it("that were removed do not come back, and everything of theirs is settled", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    scenario.network.cut(b.incarnation);
    const went = a.send(b, "went out");
    await scenario.runFor(600);
    const held = a.send(b, "held");
    a.links.removePeer(b.incarnation);
    a.links.addPeer(b.incarnation);
    const after = a.send(b, "after");
    await scenario.runFor(1);
    expect([went, held, after].map(({ outcome }) => outcome)).toEqual(["unknown", "failed", "failed"]);
    scenario.network.heal();
    b.send(a, "from the grave");
    await scenario.runFor(1_000);
    expect(a.texts).toEqual([]);
    expect(a.links.counters.refusedIn).toBeGreaterThan(0);
    expect(a.process.pendingTimers).toBe(0);
    expect(a.links.counters.peers).toBe(0);
  });

  it("that have left in order count as having got what they were sent", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    scenario.network.cut(b.incarnation);
    const went = a.send(b, "went out");
    await scenario.runFor(600);
    const held = a.send(b, "held");
    await scenario.runFor(10);
    const last = a.send(b, "last");
    a.links.removePeer(b.incarnation, true);
    await scenario.runFor(1);
    expect([went, held, last].map(({ outcome }) => outcome)).toEqual(["delivered", "delivered", "delivered"]);
    expect(a.links.counters.recordsDelivered).toBe(3);
  });

  it("can be removed by what they send, with more of theirs in hand", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    scenario.network.loses = (publish) => batchOf(publish).number === 1 && scenario.nowMs < 50;
    for (const text of numbered(5)) {
      a.send(b, text);
      await scenario.runFor(2);
    }
    expect(b.links.counters.earlyBytes).toBeGreaterThan(0);
    b.onRecords = () => b.links.removePeer(a.incarnation);
    await scenario.runFor(1_000);
    expect(b.texts).toEqual(["0"]);
    const { earlyBytes, peers, recordsIn } = b.links.counters;
    expect({ earlyBytes, peers, recordsIn }).toEqual({ earlyBytes: 0, peers: 0, recordsIn: 1 });
    expect(b.process.pendingTimers).toBe(0);
  });

  it("are not more than links are made for; one that nobody named gives way when it has been silent", async () => {
    const scenario = new LinkScenario({ nodes: 4, areStrangers: true, options: { maxPeers: 2 } });
    const [a, b, c, d] = scenario.nodes as [ScenarioNode, ScenarioNode, ScenarioNode, ScenarioNode];
    for (const other of [b, c, d]) other.links.addPeer(a.incarnation);
    b.send(a, "b");
    c.send(a, "c");
    await scenario.runFor(100);
    a.links.addPeer(c.incarnation);
    const refused = d.send(a, "d");
    await scenario.runFor(4_000);
    expect(a.texts).toEqual(["b", "c"]);
    expect(refused.outcome).toBe("unknown");
    expect(a.messages).toContain("a node more than links are made for");
    await scenario.runFor(60_000);
    expect(a.texts).toEqual(["b", "c", "d"]);
    b.send(a, "b again");
    await scenario.runFor(1_000);
    expect(a.texts).toEqual(["b", "c", "d"]);
  });

  it("speak the highest revision that both understand, from what is known of them or heard", async () => {
    const scenario = new LinkScenario({
      nodes: 3,
      areStrangers: true,
      options: (index) => (index === 2 ? { maxRevision: 1 } : { minRevision: 1, maxRevision: 2 }),
    });
    const [a, b, old] = scenario.nodes as [ScenarioNode, ScenarioNode, ScenarioNode];
    a.links.addPeer(b.incarnation, 2);
    a.links.addPeer(old.incarnation, 1);
    a.send(b, "one");
    a.send(old, "one");
    await scenario.runFor(20);
    b.send(a, "back");
    old.send(a, "back");
    await scenario.runFor(20);
    const revisions = (from: ScenarioNode, to: ScenarioNode) =>
      new Set(
        scenario.published
          .filter((publish) => publish.from === from.incarnation && publish.to === to.incarnation)
          .map((publish) => batchOf(publish).revision),
      );
    expect(revisions(a, b)).toEqual(new Set([2]));
    expect(revisions(b, a)).toEqual(new Set([2]));
    expect(revisions(a, old)).toEqual(new Set([1]));
    expect(revisions(old, a)).toEqual(new Set([1]));
    expect(a.texts).toEqual(["back", "back"]);
  });

  it("are not answered when what comes is no batch, of an unknown revision, for another incarnation or one's own", async () => {
    const scenario = new LinkScenario({ areStrangers: true });
    const [a, b] = [scenario.node(0), scenario.node(1)];
    const lanes = scenario.network.lanesOf(b.incarnation, b.process);
    const publish = (fields: { revision?: number; from?: bigint; to?: bigint }) => {
      const message = { revision: 1, from: b.incarnation, to: a.incarnation, number: 1n, ...fields };
      return lanes.publish(0, a.incarnation, toBinary(BatchSchema, create(BatchSchema, message)));
    };
    void lanes.publish(0, a.incarnation, Buffer.from("nonsense"));
    void publish({ revision: 3 });
    void publish({ revision: 0 });
    void publish({ to: 99n });
    void publish({ from: a.incarnation });
    await scenario.runFor(100);
    const { malformedIn, unknownRevisionIn, misdirectedIn, batchesIn, peers } = a.links.counters;
    expect({ malformedIn, unknownRevisionIn, misdirectedIn, batchesIn, peers }).toEqual({
      malformedIn: 1,
      unknownRevisionIn: 2,
      misdirectedIn: 1,
      batchesIn: 0,
      peers: 0,
    });
    expect(scenario.published).toHaveLength(5);
  });
});

describe("a node that stood still", () => {
  it("reads what has arrived before it blames anybody", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    const sent = a.send(b, "one");
    await scenario.runFor(0.5);
    a.process.freeze();
    await scenario.runFor(5_000);
    a.process.thaw();
    await scenario.runFor(50);
    expect(sent.outcome).toBe("delivered");
    const { laneMoves, batchesRepeated, publishesTimedOut } = a.links.counters;
    expect({ laneMoves, batchesRepeated, publishesTimedOut }).toEqual({
      laneMoves: 0,
      batchesRepeated: 0,
      publishesTimedOut: 0,
    });
  });
});

describe("links that are closed", () => {
  it("settle everything, leave no timer and receive nothing", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    for (const shard of [0, 1, 2]) scenario.network.set(shard, "silent");
    const went = a.send(b, "went out");
    await scenario.runFor(500);
    const held = a.send(b, "held");
    a.links[Symbol.dispose]();
    await scenario.runFor(10);
    expect([went.outcome, held.outcome]).toEqual(["unknown", "failed"]);
    expect(a.process.pendingTimers).toBe(0);
    scenario.network.heal();
    b.send(a, "too late");
    await scenario.runFor(100);
    expect(a.texts).toEqual([]);
    expect(a.send(b, "after").outcome).toBeUndefined();
  });
});
