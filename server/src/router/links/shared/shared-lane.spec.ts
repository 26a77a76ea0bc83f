import { describe, expect, it } from "vitest";
import { everybody } from "../../../broker/lanes.ts";
import { decodeBatch } from "../batch-decoding.ts";
import { LinkScenario, type ScenarioNode, type ScenarioOptions, type Sent } from "../testing/link-scenario.ts";

/** A first node, and others, all of which know each other. */
function world({ nodes = 4, ...options }: ScenarioOptions = {}) {
  const scenario = new LinkScenario({ nodes, ...options });
  const [a, ...others] = scenario.nodes as [ScenarioNode, ...ScenarioNode[]];
  const publishes = (to: bigint) =>
    scenario.published.filter((publish) => publish.from === a.incarnation && publish.to === to);
  /** Publishes with records that the first node has sent to one peer alone. */
  const own = (peer: ScenarioNode) => publishes(peer.incarnation).filter(({ bytes }) => decodeBatch(bytes)?.number);
  return { scenario, a, others, shared: () => publishes(everybody), own };
}

const outcomes = (sent: readonly Sent[]) => sent.map(({ outcome }) => outcome);
const delivered = (count: number) => Array.from({ length: count }, () => "delivered");
const numbered = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

describe("what goes to many peers", () => {
  it("is published once, in one batch a turn, and settled by each of them", async () => {
    const { scenario, a, others, shared, own } = world();
    const sent = numbered(20).flatMap((text) => a.sendToMany(others, text));
    await scenario.runFor(20);
    expect(outcomes(sent)).toEqual(delivered(60));
    expect(others.map(({ texts }) => texts)).toEqual(others.map(() => numbered(20)));
    expect(shared()).toHaveLength(1);
    expect(others.flatMap(own)).toEqual([]);
    expect(a.links.counters).toMatchObject({ sharedOut: 1, sharedRecordsOut: 20, sharedRepaired: 0 });
    expect(a.texts).toEqual([]);
  });

  it("leaves no timer behind, and a link says nothing more", async () => {
    const { scenario, a, others } = world();
    a.sendToMany(others, "one");
    await scenario.runFor(100);
    const { length } = scenario.published;
    expect(scenario.nodes.map(({ process }) => process.pendingTimers)).toEqual([0, 0, 0, 0]);
    await scenario.runFor(60_000);
    expect(scenario.published).toHaveLength(length);
  });

  it("goes to each where they are too few", async () => {
    const { scenario, a, others, shared } = world({ nodes: 3 });
    const sent = a.sendToMany(others, "one");
    await scenario.runFor(20);
    expect(outcomes(sent)).toEqual(delivered(2));
    expect(shared()).toEqual([]);
  });

  it("keeps the order of everything that goes to a peer, before it and behind it", async () => {
    const { scenario, a, others, shared } = world({ options: { sharedBytes: 1_000 } });
    const [b, c, d] = others as [ScenarioNode, ScenarioNode, ScenarioNode];
    const large = "x".repeat(2_000);
    for (let turn = 0; turn < 10; turn++) {
      a.send(b, `${turn} before`);
      a.sendToMany(others, `${turn} to all ${large}`);
      a.send(b, `${turn} between`);
      a.sendToMany(others, `${turn} to all again`);
      a.send(c, `${turn} behind`);
      a.sendToMany(others, `${turn} to all at last ${large}`);
      await scenario.runFor(turn % 3);
    }
    await scenario.runFor(50);
    const of = (...what: string[]) => numbered(10).flatMap((turn) => what.map((text) => `${turn} ${text}`));
    const last = `to all at last ${large}`;
    expect(b.texts).toEqual(of("before", `to all ${large}`, "between", "to all again", last));
    expect(c.texts).toEqual(of(`to all ${large}`, "to all again", "behind", last));
    expect(d.texts).toEqual(of(`to all ${large}`, "to all again", last));
    expect(shared().length).toBeGreaterThan(0);
  });

  it("goes to those whom it is for, also where that changes within a turn", async () => {
    const { scenario, a, others } = world({ nodes: 5, options: { sharedBytes: 100 } });
    const [b, ...rest] = others as [ScenarioNode, ...ScenarioNode[]];
    const large = "x".repeat(200);
    const sent = [
      ...a.sendToMany(others, "0"),
      ...a.sendToMany(rest, `1 ${large}`),
      ...a.sendToMany(others, `2 ${large}`),
      ...a.sendToMany(rest, "3"),
    ];
    await scenario.runFor(20);
    expect(outcomes(sent)).toEqual(delivered(4 + 3 + 4 + 3));
    expect(b.texts).toEqual(["0", `2 ${large}`]);
    expect(rest.map(({ texts }) => texts)).toEqual(rest.map(() => ["0", `1 ${large}`, `2 ${large}`, "3"]));
  });

  it("takes acknowledgements along", async () => {
    const { scenario, a, others, shared } = world();
    // Credit is told at once the first time.
    for (const other of others) other.send(a, "first");
    await scenario.runFor(50);
    const before = scenario.published.length;
    for (const other of others) other.send(a, "question");
    await scenario.runFor(1.7);
    a.sendToMany(others, "answer");
    await scenario.runFor(300);
    expect(a.texts).toHaveLength(6);
    expect(shared()).toHaveLength(1);
    expect(scenario.published.slice(before).filter(({ from }) => from === a.incarnation)).toHaveLength(1);
    expect(a.links.counters.duplicatesIn).toBe(0);
  });

  it("goes along with what is sent to the peers anyway, if it is small", async () => {
    const { scenario, a, others, shared, own } = world();
    for (const other of others) a.send(other, "own");
    a.sendToMany(others, "small");
    await scenario.runFor(20);
    expect(shared()).toEqual([]);
    expect(others.map((other) => own(other).length)).toEqual([1, 1, 1]);
    expect(others.map(({ texts }) => texts)).toEqual(others.map(() => ["own", "small"]));
  });

  it("goes over its link to a peer of an older revision", async () => {
    const old = 4;
    const { scenario, a, others, shared, own } = world({
      nodes: 5,
      options: (index) => (index === old ? { maxRevision: 1 } : {}),
    });
    const sent = a.sendToMany(others, "one");
    await scenario.runFor(20);
    expect(outcomes(sent)).toEqual(delivered(4));
    expect(shared()).toHaveLength(1);
    expect(others.map((other) => own(other).length)).toEqual([0, 0, 0, 1]);
  });

  it("counts against the credit of a peer whom it is not for, and is not handed to it", async () => {
    const { scenario, a, others, shared } = world({ nodes: 5 });
    const [left, ...most] = others as [ScenarioNode, ...ScenarioNode[]];
    const text = "x".repeat(4_000);
    for (let i = 0; i < 100; i++) {
      a.sendToMany(most, text);
      await scenario.runFor(10);
    }
    // Many times what a link begins with: it was given back, too.
    expect(shared().length).toBeGreaterThan(90);
    expect(left.texts).toEqual([]);
    expect(left.links.counters).toMatchObject({ sharedPast: 0, recordsIn: 0 });
    expect(left.links.counters.sharedIn).toBeGreaterThan(90);
    expect(most.map(({ texts }) => texts.length)).toEqual(most.map(() => 100));
    a.sendToMany(most.slice(1), "for half of them");
    await scenario.runFor(20);
    expect(shared().length).toBeLessThanOrEqual(100);
  });
});

describe("what went to many peers and was lost on the way", () => {
  it("reaches the one that has not heard it over its link, and so does what follows", async () => {
    const { scenario, a, others, shared, own } = world({ nodes: 5 });
    const [b] = others as [ScenarioNode];
    scenario.network.deafToShared.add(b.incarnation);
    const sent: Sent[] = [];
    for (const text of numbered(40)) {
      sent.push(...a.sendToMany(others, text));
      await scenario.runFor(20);
    }
    await scenario.runFor(200);
    expect(outcomes(sent)).toEqual(delivered(160));
    expect(b.texts).toEqual(numbered(40));
    // Two time-outs found some lost; from then on it gets its own, and the others do not notice.
    expect(shared()).toHaveLength(40);
    expect(b.links.counters.sharedIn).toBe(0);
    expect(a.links.counters.sharedRepaired).toBeLessThanOrEqual(15);
    expect(own(b).length).toBeGreaterThan(24);
    scenario.network.deafToShared.clear();
    await scenario.runFor(5_000);
    a.sendToMany(others, "again");
    await scenario.runFor(20);
    expect(b.links.counters.sharedIn).toBe(1);
  });

  it("is repeated without the records to one whom it was not for", async () => {
    const { scenario, a, others, shared, own } = world({ nodes: 5 });
    const [left, ...most] = others as [ScenarioNode, ...ScenarioNode[]];
    scenario.network.deafToShared.add(left.incarnation);
    a.sendToMany(most, "not for the first");
    await scenario.runFor(500);
    expect(shared()).toHaveLength(1);
    expect(left.texts).toEqual([]);
    const repeated = own(left).map(({ bytes }) => decodeBatch(bytes));
    expect(repeated.map((batch) => batch?.records)).toEqual([[]]);
    expect(repeated[0]?.recordBytes).toBe("not for the first".length + 2);
    scenario.network.deafToShared.clear();
    const sent = a.sendToMany(others, "for all");
    await scenario.runFor(500);
    expect(outcomes(sent)).toEqual(delivered(4));
  });

  it("goes over the links at once where its lane refuses, and from then on over another lane", async () => {
    const { scenario, a, others, shared } = world();
    a.sendToMany(others, "0");
    await scenario.runFor(20);
    const [first] = shared();
    scenario.network.set((first?.lane ?? 0) % 3, "refusing");
    const beganMs = scenario.nowMs;
    const sent = a.sendToMany(others, "1");
    await scenario.runFor(500);
    expect(outcomes(sent)).toEqual(delivered(3));
    for (const { settledMs } of sent) expect(settledMs - beganMs).toBeLessThan(12);
    const before = shared().length;
    const next = a.sendToMany(others, "2");
    await scenario.runFor(20);
    expect(outcomes(next)).toEqual(delivered(3));
    const last = shared()[before];
    expect((last?.lane ?? 0) % 3).not.toBe((first?.lane ?? 0) % 3);
  });

  it("is found missing by what follows over the link, within milliseconds", async () => {
    const { scenario, a, others } = world();
    const [b] = others as [ScenarioNode];
    a.sendToMany(others, "0");
    await scenario.runFor(20);
    scenario.network.deafToShared.add(b.incarnation);
    const beganMs = scenario.nowMs;
    a.sendToMany(others, "1");
    await scenario.runFor(2);
    a.send(b, "2");
    await scenario.runFor(200);
    expect(b.texts).toEqual(["0", "1", "2"]);
    expect((b.receivedMs("1") ?? 0) - beganMs).toBeLessThan(15);
  });

  it("moves to another lane when two have not heard it", async () => {
    const { scenario, a, others, shared } = world();
    scenario.network.loses = ({ to, from }) => to === everybody && from === a.incarnation;
    const sent = a.sendToMany(others, "0");
    await scenario.runFor(400);
    scenario.network.loses = () => false;
    expect(outcomes(sent)).toEqual(delivered(3));
    a.sendToMany(others, "1");
    await scenario.runFor(20);
    const [first, second] = shared();
    expect(second?.lane).not.toBe(first?.lane);
    expect(others.map(({ texts }) => texts)).toEqual(others.map(() => ["0", "1"]));
  });
});

describe("a peer that cannot take part", () => {
  const options = { maxOverdraftBytes: 100_000, maxPeerInboundBytes: 50_000 };

  it("delays no other, hears a bounded part of what it cannot be charged for, and gets everything in the end", async () => {
    const { scenario, a, others, shared } = world({ nodes: 5, options });
    const [b, ...rest] = others as [ScenarioNode, ...ScenarioNode[]];
    const text = "x".repeat(4_000);
    a.sendToMany(others, "first");
    await scenario.runFor(50);
    b.process.freeze();
    const sent: Sent[][] = [];
    for (let i = 0; i < 100; i++) {
      sent.push(a.sendToMany(others, `${i} ${text}`));
      await scenario.runFor(10);
    }
    await scenario.runFor(20);
    expect(sent.map(([, ...ofRest]) => outcomes(ofRest))).toEqual(sent.map(() => delivered(3)));
    // What it has credit for, and then a quarter of the overdraft.
    expect(shared().length).toBeGreaterThan(15);
    expect(shared().length).toBeLessThanOrEqual(1 + 12 + 6);
    expect(a.links.counters.sharedRefused).toBeGreaterThan(50);
    expect(rest.map(({ texts }) => texts.length)).toEqual([101, 101, 101]);
    b.process.thaw();
    await scenario.runFor(1_500);
    expect(outcomes(sent.map(([ofB]) => ofB as Sent))).toEqual(delivered(100));
    expect(b.texts).toHaveLength(101);
    const before = shared().length;
    a.sendToMany(others, "again");
    await scenario.runFor(50);
    expect(shared().length).toBe(before + 1);
  });

  it("is sent nothing while its link is suspended, whatever credit it has", async () => {
    const { scenario, a, others, shared } = world({ nodes: 5 });
    const [b] = others as [ScenarioNode];
    b.process.freeze();
    a.send(b, "finds out");
    await scenario.runFor(1_500);
    expect(a.links.counters.suspendedLinks).toBe(1);
    const before = shared().length;
    const [ofB] = a.sendToMany(others, "one");
    await scenario.runFor(50);
    const bytes = shared()[before]?.bytes ?? Buffer.alloc(0);
    expect(decodeBatch(bytes, b.incarnation)?.to).toBe(everybody);
    b.process.thaw();
    await scenario.runFor(1_000);
    expect(ofB?.outcome).toBe("delivered");
    expect(b.texts).toEqual(["finds out", "one"]);
  });

  it("is told of what it has lost before it gets what came later", async () => {
    const { scenario, a, others, shared } = world({
      nodes: 5,
      options: { maxLiveBytes: 1_000, maxPeerInboundBytes: 16_384 },
    });
    const [b] = others as [ScenarioNode];
    let release = () => {};
    b.onRecords = (keep) => {
      release = keep();
    };
    a.send(b, "x".repeat(16_381));
    await scenario.runFor(20);
    // Without credit, and larger than what may wait: the first loss is on its way, and does not arrive; the second waits for it.
    scenario.network.loses = ({ from, to }) => from === a.incarnation && to === b.incarnation;
    for (const text of ["one", "other"]) {
      a.send(b, text.padEnd(2_000));
      await scenario.runFor(3);
    }
    expect(a.links.counters.recordsFailed).toBe(2);
    let lossesBefore = -1;
    b.onRecords = () => {
      lossesBefore = b.losses.length;
    };
    release();
    await scenario.runFor(10);
    scenario.network.loses = () => false;
    a.sendToMany(others, "later");
    await scenario.runFor(300);
    expect(shared()).toHaveLength(1);
    expect(b.texts.at(-1)).toBe("later");
    expect([b.losses.length, lossesBefore]).toEqual([2, 2]);
  });

  it("is settled as others are when it is removed while records wait, and so are the others", async () => {
    const { scenario, a, others } = world();
    const [b] = others as [ScenarioNode];
    const sent = a.sendToMany(others, "one");
    a.links.removePeer(b.incarnation);
    await scenario.runFor(50);
    expect(outcomes(sent)).toEqual(["failed", "delivered", "delivered"]);
    expect(b.texts).toEqual([]);
  });

  it("does not hear of it twice when it has left in order", async () => {
    const { scenario, a, others } = world();
    const [b] = others as [ScenarioNode];
    scenario.network.deafToShared.add(b.incarnation);
    const sent = a.sendToMany(others, "one");
    await scenario.runFor(5);
    a.links.removePeer(b.incarnation, true);
    await scenario.runFor(50);
    expect(outcomes(sent)).toEqual(delivered(3));
  });

  it("can be the sender itself: what it does not hear of its own is bounded", async () => {
    const { scenario, a, others, shared } = world({ options });
    scenario.network.deafToShared.add(a.incarnation);
    const text = "x".repeat(4_000);
    for (let i = 0; i < 100; i++) {
      a.sendToMany(others, text);
      await scenario.runFor(10);
    }
    expect(shared().length).toBeLessThanOrEqual(25);
    expect(others.map(({ texts }) => texts.length)).toEqual([100, 100, 100]);
    await scenario.runFor(10_000);
    const before = shared().length;
    a.sendToMany(others, text);
    await scenario.runFor(50);
    expect(shared().length).toBe(before + 1);
  });
});

describe("what nobody asks about", () => {
  it("leaves the outcomes of others to them, also when the turn goes to each", async () => {
    const { scenario, a, others, shared } = world();
    for (const other of others) a.send(other, "o".repeat(10_000)); // who has a batch in this turn anyway takes what follows along
    const to = others.map(({ incarnation }) => incarnation);
    a.links.sendToMany(to, { class: "control", bytes: Buffer.from("unasked") });
    const lost = a.sendToMany(others, "x".repeat(8_000));
    scenario.network.loses = ({ bytes }) => Buffer.from(bytes).includes("xxxx");
    await scenario.runFor(50);
    expect(shared()).toEqual([]);
    expect(others.map(({ texts }) => texts.slice(1))).toEqual(others.map(() => ["unasked"]));
    expect(outcomes(lost)).toEqual([undefined, undefined, undefined]);
    for (const peer of to) a.links.removePeer(peer);
    await scenario.runFor(50);
    expect(outcomes(lost)).toEqual(["unknown", "unknown", "unknown"]);
  });
});

describe("links that are closed while records for many wait", () => {
  it("settle them and leave no timer", async () => {
    const { scenario, a, others } = world();
    const sent = a.sendToMany(others, "one");
    a.links[Symbol.dispose]();
    await scenario.runFor(50);
    expect(outcomes(sent)).toEqual(["failed", "failed", "failed"]);
    expect(a.process.pendingTimers).toBe(0);
    expect(others.map(({ texts }) => texts)).toEqual([[], [], []]);
  });
});
