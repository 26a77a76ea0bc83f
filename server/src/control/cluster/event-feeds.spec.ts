import { fromBinary } from "@bufbuild/protobuf";
import { type Ask, NodeState, RecordSchema } from "@fanfare/proto/cluster/v1alpha";
import { beforeEach, describe, expect, it } from "vitest";
import type { HubListener } from "../../hub/events.ts";
import { silentLog } from "../../observe/log.ts";
import type { Answerer } from "../../router/cluster/asks.ts";
import type { Cluster } from "../../router/cluster/cluster.ts";
import type { LinkOutcome, LinkRecord } from "../../router/links/link-port.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import type { ControlNode } from "../control-context.ts";
import type { EventInit } from "../event-messages.ts";
import { EventFeeds } from "./event-feeds.ts";
import { RemoteEvents } from "./remote-events.ts";

const peerId = 7n;

/** A cluster of which a test is the rest. */
class Fake {
  readonly clock = new VirtualClock();
  readonly listeners = new Set<HubListener>();
  readonly asked: { to: bigint; question: Ask["question"] }[] = [];
  readonly sent: { record: NonNullable<ReturnType<typeof decoded>>; settle: (outcome: LinkOutcome) => void }[] = [];
  readonly peers = new Map<bigint, object>([
    [peerId, { incarnation: peerId, nodeId: "other", state: NodeState.READY }],
  ]);
  answerer: Answerer | undefined;
  onDeath: ((peer: bigint, hasLeft: boolean) => void) | undefined;
  onNode: ((peer: { incarnation: bigint }) => void) | undefined;
  onRecord: ((from: bigint, record: object) => void) | undefined;
  refuses = false;

  readonly appTable = { areTenants: false };

  readonly node = {
    clock: this.clock,
    log: silentLog,
    config: { nodeId: "self" },
    appTable: this.appTable,
    apps: new Map([
      [
        "game",
        {
          hub: {
            events: { listen: (one: HubListener) => this.#listen(one) },
          },
        },
      ],
    ]),
  } as unknown as ControlNode;

  readonly cluster = {
    peers: [peerId],
    nodes: { peers: this.peers },
    answer: (_: string, answerer: Answerer) => (this.answerer = answerer),
    onDeath: (listener: typeof this.onDeath) => (this.onDeath = listener),
    onNode: (listener: typeof this.onNode) => (this.onNode = listener),
    onRecord: (_: string, listener: typeof this.onRecord) => (this.onRecord = listener),
    ask: async (to: bigint, question: Ask["question"]) => {
      this.asked.push({ to, question });
      if (this.refuses) throw new Error("no answer");
      return { case: "done", value: {} };
    },
    links: {
      send: (_: bigint, record: LinkRecord, settle: (outcome: LinkOutcome) => void) =>
        this.sent.push({ record: decoded(record), settle }),
    },
  } as unknown as Cluster;

  #listen(listener: HubListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  emit(playerId: string): void {
    for (const listener of this.listeners) listener({ type: "session-opened", sessionId: "s", playerId });
  }

  watch(request: object): void {
    const question = { case: "watchFeed", value: { feed: 1, playerId: "", group: "", end: false, ...request } };
    this.answerer?.(peerId, { appId: "game", question } as never);
  }
}

function decoded({ bytes }: LinkRecord) {
  const { kind } = fromBinary(RecordSchema, bytes);
  if (kind.case !== "eventFeed") throw new Error("it is no event");
  return kind.value;
}

const turns = async () => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

describe("EventFeeds", () => {
  let fake: Fake;
  let feeds: EventFeeds;
  beforeEach(() => {
    fake = new Fake();
    feeds = new EventFeeds(fake.node, fake.cluster);
  });
  const players = () => fake.sent.map(({ record }) => (record.event?.event.value as { playerId?: string })?.playerId);

  it("tell a node that asks what happens here, in order and filtered, until it asks to end", async () => {
    fake.watch({ playerId: "ann" });
    fake.watch({ playerId: "ann" }); // once more, because its answer was lost
    for (const playerId of ["ann", "bob", "ann"]) fake.emit(playerId);
    await turns();
    expect(players()).toEqual(["ann", "ann"]);
    fake.watch({ end: true });
    fake.emit("ann");
    await turns();
    expect([fake.sent.length, feeds.size, fake.listeners.size]).toEqual([2, 0, 0]);
  });

  it("end with the node that watches, and with this one", async () => {
    fake.watch({});
    fake.onDeath?.(8n, false);
    expect(feeds.size).toBe(1);
    fake.onDeath?.(peerId, false);
    expect([feeds.size, fake.listeners.size]).toEqual([0, 0]);
    fake.watch({});
    feeds.close();
    expect([feeds.size, fake.listeners.size]).toEqual([0, 0]);
  });

  it("tell before what comes next how much could not be told", async () => {
    fake.watch({});
    for (const playerId of ["a", "b"]) fake.emit(playerId);
    await turns();
    fake.sent[0]?.settle("failed");
    fake.sent[1]?.settle("unknown");
    fake.emit("c");
    await turns();
    expect(fake.sent[2]?.record).toMatchObject({ missed: 2n, event: { event: { value: { playerId: "c" } } } });
  });

  it("tell so also if nothing comes next, and again if that fails", async () => {
    fake.watch({});
    fake.emit("a");
    await turns();
    for (let i = 0; i < 3; i++) {
      fake.sent.at(-1)?.settle("failed");
      fake.clock.advance(1_000);
      await turns();
      expect(fake.sent.at(-1)?.record).toMatchObject({ missed: 1n });
      expect(fake.sent).toHaveLength(i + 2);
    }
    fake.sent.at(-1)?.settle("delivered");
    fake.clock.advance(10_000);
    await turns();
    expect(fake.sent).toHaveLength(4);
  });

  it("have so much under way and so much waiting, and count the rest", async () => {
    fake.watch({});
    for (let i = 0; i < 3_000; i++) fake.emit(`p${i}`);
    await turns();
    for (let settled = 0; settled < fake.sent.length; settled++) {
      expect(fake.sent.length - settled).toBeLessThanOrEqual(128);
      fake.sent[settled]?.settle("delivered");
      await turns();
    }
    const told = players().filter((playerId) => playerId !== undefined).length;
    const missed = fake.sent.reduce((sum, { record }) => sum + Number(record.missed), 0);
    expect([told + missed, told]).toEqual([3_000, 1_024]);
  });
});

describe("RemoteEvents", () => {
  let fake: Fake;
  let remote: RemoteEvents;
  let got: EventInit[];
  beforeEach(() => {
    fake = new Fake();
    remote = new RemoteEvents(fake.node, fake.cluster);
    got = [];
  });
  const watch = (filter = { playerId: "", group: "" }) => remote.watch("game", filter, (event) => got.push(event));
  const receive = (feed: number, value: object, from = peerId) =>
    fake.onRecord?.(from, { kind: { case: "eventFeed", value: { feed, missed: 0n, event: undefined, ...value } } });
  const cases = () => got.map(({ nodeId, event }) => [nodeId, event?.case]);

  it("have every node tell, pass on what it says, and end it", async () => {
    const { standing, end } = watch({ playerId: "ann", group: "" });
    await standing;
    expect(fake.asked).toEqual([
      { to: peerId, question: { case: "watchFeed", value: { feed: 1, playerId: "ann", group: "" } } },
    ]);
    receive(1, { event: { nodeId: "other", event: { case: "sessionOpened" } } });
    receive(1, { missed: 3n });
    expect(cases()).toEqual([
      ["other", "sessionOpened"],
      ["other", "missed"],
    ]);
    expect(got[1]?.event?.value).toEqual({ count: 3n });
    end();
    expect(fake.asked.at(-1)?.question).toMatchObject({ value: { feed: 1, end: true } });
    expect(remote.size).toBe(0);
  });

  it("end a feed that nobody knows, and believe no node about another's", async () => {
    await watch().standing;
    receive(9, { missed: 1n });
    receive(1, { missed: 1n }, 8n);
    expect(got).toEqual([]);
    expect(fake.asked.slice(1).map(({ to, question }) => [to, question.value])).toEqual([
      [peerId, { feed: 9, end: true }],
      [8n, { feed: 1, end: true }],
    ]);
    expect(remote.size).toBe(1);
  });

  it("tell that a node was lost, and that it is not known what it had to tell", async () => {
    await watch().standing;
    const known = { version: "1.2.3", startedAtMs: 9n, connections: 4, sessions: 5 };
    fake.peers.set(peerId, { incarnation: peerId, nodeId: "other", state: NodeState.READY, ...known });
    fake.onNode?.({ incarnation: peerId });
    fake.peers.delete(peerId);
    fake.onDeath?.(peerId, false);
    expect(cases()).toEqual([
      ["other", "missed"],
      ["self", "nodeChanged"],
    ]);
    expect(got[0]?.event?.value).toEqual({ count: 0n });
    expect(got[1]?.event?.value).toMatchObject({
      node: { nodeId: "other", incarnation: peerId, state: 3, ...known, connections: 0, sessions: 0, broker: "valkey" },
    });
    expect(remote.size).toBe(0);
  });

  it("tell nothing of one that left in order", async () => {
    await watch().standing;
    fake.onDeath?.(peerId, true);
    expect([got, remote.size]).toEqual([[], 0]);
  });

  it("ask a node that has come, and tell of it those that watch everything", async () => {
    await watch().standing;
    await watch({ playerId: "ann", group: "" }).standing;
    fake.peers.set(8n, { incarnation: 8n, nodeId: "new", state: NodeState.JOINING });
    fake.onNode?.({ incarnation: 8n });
    expect(fake.asked.slice(2).map(({ to }) => to)).toEqual([8n, 8n]);
    expect(got).toEqual([]);
    fake.peers.set(8n, { incarnation: 8n, nodeId: "new", state: NodeState.READY });
    fake.onNode?.({ incarnation: 8n });
    fake.onNode?.({ incarnation: 8n });
    expect(fake.asked).toHaveLength(4);
    expect(cases()).toEqual([["self", "nodeChanged"]]);
  });

  it("tell of a node that has come how many clients it has, but where those are of several tenants", async () => {
    await watch().standing;
    const counts = { connections: 4, sessions: 5 };
    for (const areTenants of [false, true]) {
      fake.appTable.areTenants = areTenants;
      const incarnation = areTenants ? 9n : 8n;
      fake.peers.set(incarnation, { incarnation, nodeId: "new", state: NodeState.READY, ...counts });
      fake.onNode?.({ incarnation });
    }
    const none = { connections: 0, sessions: 0 };
    expect(got.map(({ event }) => event?.value)).toMatchObject([{ node: counts }, { node: none }]);
  });

  it("ask again a node that does not answer, and tell that something is missing", async () => {
    fake.refuses = true;
    await watch().standing;
    expect(cases()).toEqual([["other", "missed"]]);
    fake.refuses = false;
    fake.clock.advance(2_000);
    await turns();
    fake.clock.advance(10_000);
    await turns();
    expect([fake.asked.length, got.length]).toEqual([2, 1]);
  });
});
