import { describe, expect, it } from "vitest";
import { decodeBatch } from "./batch-decoding.ts";
import type { Publish } from "./testing/hostile-lanes.ts";
import { LinkScenario, type ScenarioNode, type Sent } from "./testing/link-scenario.ts";

/** What a publish carries. */
function batchOf({ bytes }: Publish) {
  const batch = decodeBatch(bytes);
  if (batch === undefined) throw new Error("no batch was published");
  return batch;
}

/** Sends so many records, one a millisecond. */
async function sendEvenly(
  scenario: LinkScenario,
  from: ScenarioNode,
  to: ScenarioNode,
  count: number,
): Promise<Sent[]> {
  const sent: Sent[] = [];
  for (let i = 0; i < count; i++) {
    sent.push(from.send(to, `${i}`));
    await scenario.runFor(1);
  }
  return sent;
}

const numbered = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

describe("a link with nothing wrong", () => {
  it("carries everything of a turn in one batch, in order, and settles it when the peer has it", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    const sent = numbered(50).map((text) => a.send(b, text));
    expect(sent.map(({ outcome }) => outcome)).toEqual(sent.map(() => undefined));
    await scenario.runFor(20);
    expect(b.texts).toEqual(numbered(50));
    expect(sent.map(({ outcome }) => outcome)).toEqual(sent.map(() => "delivered"));
    expect(scenario.published.map((publish) => batchOf(publish).records.length)).toEqual([50, 0]);
  });

  it("says nothing and has no timer when there is nothing to say", async () => {
    const scenario = new LinkScenario({ nodes: 3 });
    await scenario.runFor(60_000);
    expect(scenario.published).toEqual([]);
    scenario.node(0).send(scenario.node(1), "one");
    await scenario.runFor(100);
    const { length } = scenario.published;
    expect(scenario.nodes.map(({ process }) => process.pendingTimers)).toEqual([0, 0, 0]);
    await scenario.runFor(60_000);
    expect(scenario.published).toHaveLength(length);
  });

  it("lets acknowledgements travel with what the peer sends anyway", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    b.onRecords = () => b.send(a, "answer");
    const sent = a.send(b, "question");
    await scenario.runFor(20);
    expect(sent.outcome).toBe("delivered");
    expect(scenario.published.map((publish) => batchOf(publish).records.length)).toEqual([1, 1, 0]);
  });

  it("acknowledges within 20 ms, and does not double the messages of a busy link", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    const sent = await sendEvenly(scenario, a, b, 500);
    await scenario.runFor(20);
    expect(sent.every(({ outcome }) => outcome === "delivered")).toBe(true);
    const { length } = scenario.published.filter(({ from }) => from === b.incarnation);
    expect(length).toBeLessThan(200);
  });

  it("cuts a turn into batches of 64 KiB", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    for (let i = 0; i < 100; i++) a.send(b, "x".repeat(4_000));
    await scenario.runFor(50);
    expect(b.received).toHaveLength(100);
    const sizes = scenario.published.map(({ bytes }) => bytes.length).filter((size) => size > 1_000);
    expect(Math.max(...sizes)).toBeLessThan(66_000);
    expect(a.links.counters.batchesRepeated).toBe(0);
  });

  it("carries a record that is larger than all credit", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    const texts = ["a", "b".repeat(100_000), "c".repeat(2_000_000), "d"];
    const sent = texts.map((text) => a.send(b, text));
    await scenario.runFor(1_000);
    expect(b.texts.map(({ length }) => length)).toEqual([1, 100_000, 2_000_000, 1]);
    expect(sent.map(({ outcome }) => outcome)).toEqual(sent.map(() => "delivered"));
  });

  it("counts credit as the receiver does, over tens of thousands of records", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    for (let i = 0; i < 2_000; i++) {
      for (let j = 0; j < 10; j++) a.send(b, "x".repeat((i * 7 + j) % 300));
      await scenario.runFor(0.5);
    }
    await scenario.runFor(20);
    expect(b.received).toHaveLength(20_000);
    expect(scenario.published.filter((publish) => batchOf(publish).probe !== 0)).toEqual([]);
    expect(a.links.counters.waitingBytes).toBe(0);
  });

  it("has a peer handle the rest when one call throws", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    b.onRecords = () => {
      b.onRecords = () => {};
      throw new Error("broken");
    };
    a.send(b, "one");
    await scenario.runFor(10);
    a.send(b, "two");
    await scenario.runFor(10);
    expect(b.texts).toEqual(["two"]);
    expect(b.links.counters.handlerFaults).toBe(1);
    expect(b.messages).toContain("records of a peer could not be handled");
  });
});

describe("a link whose lane fails", () => {
  it("goes to another lane at once when a shard refuses or nobody is subscribed", async () => {
    for (const state of ["refusing", "deaf"] as const) {
      const scenario = new LinkScenario();
      const [a, b] = [scenario.node(0), scenario.node(1)];
      for (const shard of [0, 1]) scenario.network.set(shard, state);
      const sent = numbered(30).map((text) => a.send(b, text));
      await scenario.runFor(15);
      expect(b.texts).toEqual(numbered(30));
      await scenario.runFor(20);
      expect(sent.every(({ outcome }) => outcome === "delivered")).toBe(true);
    }
  });

  it("goes to another lane after the time of a request when a shard says nothing, and takes all with it", async () => {
    const scenario = new LinkScenario({ options: { minRetransmitMs: 400 } });
    const [a, b] = [scenario.node(0), scenario.node(1)];
    await sendEvenly(scenario, a, b, 1);
    await scenario.runFor(20);
    const lane = scenario.published[0]?.lane ?? 0;
    scenario.network.set(lane % 3, "silent");
    await sendEvenly(scenario, a, b, 100);
    const sentMs = scenario.nowMs - 100;
    await scenario.runFor(100);
    expect(b.texts.slice(1)).toEqual(numbered(100));
    expect(Math.max(...b.received.map(({ atMs }) => atMs)) - sentMs).toBeLessThan(165);
    expect(a.messages).toContain("lane is sick");
    expect(a.messages).toContain("link moved to another lane");
    scenario.network.heal();
    await scenario.runFor(5_000);
    expect(a.messages).toContain("lane is well again");
  });

  it("leaves a lane that has failed another link, with what was under way there", async () => {
    const scenario = new LinkScenario({ nodes: 5, lanes: 3, options: { minRetransmitMs: 1_000 } });
    const [a, b, , , e] = scenario.nodes as [ScenarioNode, ScenarioNode, ScenarioNode, ScenarioNode, ScenarioNode];
    for (const peer of [b, e]) a.send(peer, "first");
    await scenario.runFor(20);
    const [lane, same] = scenario.published.filter(({ from }) => from === a.incarnation).map((one) => one.lane);
    expect(same).toBe(lane);
    scenario.network.set((lane ?? 0) % 3, "silent");
    const beganMs = scenario.nowMs;
    a.send(b, "b");
    await scenario.runFor(100);
    a.send(e, "e");
    await scenario.runFor(100);
    for (const [node, text] of [
      [b, "b"],
      [e, "e"],
    ] as const) {
      expect((node.receivedMs(text) ?? Infinity) - beganMs).toBeGreaterThan(149);
      expect((node.receivedMs(text) ?? Infinity) - beganMs).toBeLessThan(160);
    }
  });

  it("does not trust a publish that succeeded: what is not acknowledged goes over another lane, the oldest first, then all", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    a.send(b, "first");
    await scenario.runFor(20);
    const lane = scenario.published[0]?.lane ?? 0;
    scenario.network.set(lane % 3, "lying");
    const beganMs = scenario.nowMs;
    const sent = await sendEvenly(scenario, a, b, 50);
    await scenario.runFor(100);
    expect(b.texts.slice(1)).toEqual(numbered(50));
    expect((b.receivedMs("49") ?? Infinity) - beganMs).toBeLessThan(125);
    await scenario.runFor(20);
    expect(sent.every(({ outcome }) => outcome === "delivered")).toBe(true);
  });

  it("is asked at once for a batch that was lost among others", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    scenario.network.loses = (publish) => {
      const { number, acknowledged } = batchOf(publish);
      return number === 5 && acknowledged === 0 && !lost.has(number) && lost.add(number) !== undefined;
    };
    const lost = new Set<number>();
    await sendEvenly(scenario, a, b, 20);
    await scenario.runFor(20);
    expect(b.texts).toEqual(numbered(20));
    expect(lost.size).toBe(1);
    expect(b.receivedMs("4")).toBeLessThan(20);
    expect(a.links.counters.retransmitTimeouts).toBe(0);
  });

  it("moves when it is only its acknowledgements that do not arrive", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    a.send(b, "first");
    await scenario.runFor(20);
    const lane = scenario.published.find(({ from }) => from === b.incarnation)?.lane;
    scenario.network.loses = ({ from, lane: over }) => from === b.incarnation && over === lane;
    const sent = await sendEvenly(scenario, a, b, 10);
    await scenario.runFor(400);
    expect(sent.every(({ outcome }) => outcome === "delivered")).toBe(true);
    expect(b.messages).toContain("link moved to another lane");
    const settledMs = Math.max(...sent.map((one) => one.settledMs));
    expect(settledMs).toBeLessThan(350);
    expect(b.texts).toEqual(["first", ...numbered(10)]);
  });

  it("goes home when its lane is well again", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    a.send(b, "one");
    await scenario.runFor(20);
    const home = scenario.published[0]?.lane ?? 0;
    scenario.network.set(home % 3, "refusing");
    a.send(b, "two");
    await scenario.runFor(50);
    scenario.network.heal();
    await scenario.runFor(10_000);
    a.send(b, "three");
    await scenario.runFor(50);
    const lanes = scenario.published.filter((publish) => batchOf(publish).records.length > 0).map(({ lane }) => lane);
    expect(lanes.at(0)).toBe(home);
    expect(lanes.at(-2)).not.toBe(home);
    expect(lanes.at(-1)).toBe(home);
    expect(a.messages).toContain("link is back on its lane");
  });

  it("spreads links over lanes", async () => {
    const scenario = new LinkScenario({ nodes: 7 });
    const [a, ...others] = scenario.nodes as [ScenarioNode, ...ScenarioNode[]];
    for (const other of others) a.send(other, "one");
    await scenario.runFor(1);
    expect(new Set(scenario.published.map(({ lane }) => lane)).size).toBe(6);
  });
});

describe("a link that no lane carries", () => {
  it("is suspended after three lanes, asks, and comes back by itself", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    for (const shard of [0, 1, 2]) scenario.network.set(shard, "silent");
    const early = a.send(b, "early");
    await scenario.runFor(600);
    expect(a.messages).toContain("link suspended");
    expect(a.links.counters.suspendedLinks).toBe(1);
    const late = a.send(b, "late");
    await scenario.runFor(400);
    scenario.network.heal();
    const healedMs = scenario.nowMs;
    const { retransmitTimeouts } = a.links.counters;
    await scenario.runFor(600);
    expect(a.links.counters.retransmitTimeouts).toBe(retransmitTimeouts);
    expect(b.texts).toEqual(["early", "late"]);
    expect(Math.max(early.settledMs, late.settledMs) - healedMs).toBeLessThan(550);
    expect([early.outcome, late.outcome]).toEqual(["delivered", "delivered"]);
    expect(a.messages).toContain("link resumed");
    expect(a.links.counters.suspendedLinks).toBe(0);
  });

  it("tells the truth about what it could not deliver in time, and names the loss", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    for (const shard of [0, 1, 2]) scenario.network.set(shard, "silent");
    const went = a.send(b, "went out", { key: "g:went" });
    await scenario.runFor(600);
    const held = a.send(b, "held", { key: "g:held" });
    const stored = a.send(b, "stored", { class: "durable", key: "g:log" });
    const control = a.send(b, "control", { class: "control" });
    const position = a.send(b, "position", { class: "volatile", key: "g:fast" });
    await scenario.runFor(3_100);
    expect([went, held, stored, control, position].map(({ outcome }) => outcome)).toEqual([
      "unknown",
      "failed",
      "failed",
      "failed",
      "failed",
    ]);
    a.send(b, "new", { key: "g:held" });
    scenario.network.heal();
    await scenario.runFor(1_000);
    expect(b.texts).toEqual(["went out", "new"]);
    const named = b.losses.flatMap((loss) => (loss === "all" ? [] : loss.map(({ key }) => key)));
    expect(named.toSorted()).toEqual(["g:held", "g:log"]);
  });

  it("keeps the newest of a conflation and of a durable channel", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    for (const shard of [0, 1, 2]) scenario.network.set(shard, "refusing");
    a.send(b, "control", { class: "control" });
    await scenario.runFor(100);
    const moves = numbered(5).map((text) => a.send(b, `move ${text}`, { class: "volatile", conflation: "p1" }));
    const stored = numbered(5).map((text) => a.send(b, `stored ${text}`, { class: "durable" }));
    await scenario.runFor(100);
    scenario.network.heal();
    await scenario.runFor(1_000);
    expect(b.texts).toEqual(["control", "move 4", "stored 4"]);
    expect(moves.map(({ outcome }) => outcome)).toEqual(["failed", "failed", "failed", "failed", "delivered"]);
    expect(stored.map(({ outcome }) => outcome)).toEqual(["unknown", "unknown", "unknown", "unknown", "delivered"]);
    expect(b.losses).toEqual([]);
  });

  it("asks sooner when it hears of its peer", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    for (let round = 0; round < 5; round++) {
      scenario.network.loses = ({ from }) => from === a.incarnation;
      a.send(b, `${round}`);
      await scenario.runFor(2_000 + 97 * round);
      expect(a.links.counters.suspendedLinks).toBe(1);
      scenario.network.loses = () => false;
      const healedMs = scenario.nowMs;
      b.send(a, "hello");
      await scenario.runFor(600);
      expect((b.receivedMs(`${round}`) ?? Infinity) - healedMs).toBeLessThan(60);
    }
  });

  it("asks with little, and not for what was sent", async () => {
    const scenario = new LinkScenario();
    const [a, b] = [scenario.node(0), scenario.node(1)];
    b.process.freeze();
    a.send(b, "x".repeat(15_000));
    await scenario.runFor(60_000);
    const large = scenario.published.filter(({ bytes }) => bytes.length > 1_000);
    expect(large).toHaveLength(3);
    const probes = scenario.published.length - large.length;
    expect(probes).toBeLessThan(3 * 60 * 6);
    expect(probes).toBeGreaterThan(3 * 60 * 2);
    b.process.thaw();
    await scenario.runFor(600);
    expect(b.texts).toHaveLength(1);
  });
});
