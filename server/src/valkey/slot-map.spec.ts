import { describe, expect, it } from "vitest";
import { type ClusterView, parseClusterNodes } from "./cluster-view.ts";
import { slotOfTag } from "./hash-slot.ts";
import { SlotMap, tagsForAllSlots } from "./slot-map.ts";
import type { ValkeyClient } from "./valkey-client.ts";

function clientThatAnswers(reply: string): ValkeyClient {
  return { send: async () => Buffer.from(reply), pipeline: async () => [], close() {} };
}

const twoPrimaries = `one 127.0.0.1:7001@17001 myself,master - 0 0 1 connected 0-8190 8191
two 127.0.0.1:7002@17002 master - 0 1426238316232 2 connected 8192-16383 [8191-<-one]
replica 127.0.0.1:7003@17003,host slave one 0 1426238317239 1 connected
`;

/** What a node sees when each of these primaries claims the whole cluster, or as much of it as is said. */
function viewOf(...primaries: [id: string, epoch: number, first?: number, last?: number][]): ClusterView {
  const nodes = primaries.map(([id, epoch, first = 0, last = 16_383]) => ({
    id,
    epoch,
    isPrimary: true,
    isFailing: false,
    ranges: first > last ? [] : [[first, last] as const],
  }));
  return { by: nodes[0]?.id ?? "", nodes: new Map(nodes.map((node) => [node.id, node])) };
}

describe("slot map", () => {
  it("computes slots as the cluster specification does", () => {
    expect(slotOfTag("123456789")).toBe(0x31c3); // the check value of CRC16/XMODEM
    expect(slotOfTag("foo")).toBe(12_182);
    expect(slotOfTag("")).toBe(0);
  });

  it("finds a tag of a primary that serves any one slot", () => {
    const last = slotOfTag(`${tagsForAllSlots - 1}`);
    const map = new SlotMap();
    map.learn(viewOf(["many", 1], ["one", 2, last, last]));
    expect(map.tagOf("one")).toBe(`${tagsForAllSlots - 1}`);
    const slots = new Set(Array.from({ length: tagsForAllSlots }, (_, i) => slotOfTag(`${i}`)));
    expect(slots.size).toBe(16_384);
  });

  it("tells the primary of a tag and a tag of a primary", async () => {
    const map = new SlotMap();
    expect(map.primaryOf("foo")).toBe("");
    await map.refresh(clientThatAnswers(twoPrimaries));
    expect(map.primaryOf("foo")).toBe("two");
    expect(map.primaries).toEqual(["one", "two"]);
    for (const id of ["one", "two"]) {
      expect(map.isPrimary(id)).toBe(true);
      expect(map.primaryOf(map.tagOf(id) as string)).toBe(id);
    }
    expect(map.isPrimary("replica")).toBe(false);
    expect(map.tagOf("replica")).toBeUndefined();
  });

  it("tells what has changed hands, and nothing of what it did not know", () => {
    const map = new SlotMap();
    expect(map.learn(viewOf(["old", 1]))).toEqual([]);
    const [move, ...more] = map.learn(viewOf(["old", 1, 0, 99], ["new", 2, 100]));
    expect(more).toEqual([]);
    expect(move).toMatchObject({ from: "old", to: "new" });
    expect(move?.slots.size).toBe(16_384 - 100);
    expect(map.learn(viewOf(["old", 1, 0, 99], ["new", 2, 100]))).toEqual([]);
  });

  it("takes a claim that it has overruled for a new one when it comes back", () => {
    const map = new SlotMap();
    map.learn(viewOf(["one", 1, 0, 99], ["two", 2, 100]));
    map.learn(viewOf(["one", 3, 0, 199], ["two", 2, 200]));
    const back = viewOf(["one", 3, 0, 99], ["two", 4, 100]);
    expect(map.learn(back).map(({ from, to, slots }) => [from, to, slots.size])).toEqual([["one", "two", 100]]);
    expect(map.learn(back)).toEqual([]);
    expect(map.epochOf("two")).toBe(4);
  });

  it("believes the higher epoch, whoever tells it and in whatever order", () => {
    const map = new SlotMap();
    map.learn(viewOf(["old", 1], ["new", 0, 1, 0]));
    map.learn(viewOf(["old", 1, 1, 0], ["new", 7]));
    expect(map.learn(viewOf(["old", 1], ["new", 0, 1, 0]))).toEqual([]);
    expect(map.primaryOf("foo")).toBe("new");
    expect([map.isPrimary("old"), map.epochOf("new")]).toEqual([false, 7]);
    map.learn(viewOf(["old", 8], ["new", 7, 1, 0]));
    expect(map.primaryOf("foo")).toBe("old");
  });

  it("takes the word of another cluster in its place, and not of a node that does not know the owner yet", () => {
    const map = new SlotMap();
    map.learn(viewOf(["old", 1, 100], ["new", 50, 0, 99]));
    expect(map.learn(viewOf(["old", 1]))).toEqual([]);
    expect([...map.primaries].sort()).toEqual(["new", "old"]);
    map.learn(viewOf(["of another", 1]));
    expect(map.primaries).toEqual(["of another"]);
  });
});

describe("a view of the cluster", () => {
  it("says who tells it, who is what, and which slots are whose", () => {
    const failing = parseClusterNodes(
      `${twoPrimaries}three 127.0.0.1:7004@17004 master,fail - 1 2 3 disconnected\nfour :0@0 master,fail?,noaddr - 1 2 0 x`,
    );
    expect(failing.by).toBe("one");
    expect(failing.nodes.get("two")).toEqual({
      id: "two",
      isPrimary: true,
      isFailing: false,
      epoch: 2,
      ranges: [[8192, 16_383]],
    });
    expect(failing.nodes.get("one")?.ranges).toEqual([
      [0, 8190],
      [8191, 8191],
    ]);
    expect(failing.nodes.get("replica")).toMatchObject({ isPrimary: false, ranges: [] });
    expect([failing.nodes.get("three")?.isFailing, failing.nodes.get("four")?.isFailing]).toEqual([true, true]);
  });
});
