import { type Message, Outcome, type ServerFrame, SkipReason, type Subscribed } from "@fanfare/proto/v1";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { requireTool } from "../../../test/require-tool.ts";
import type { DurableStores } from "../log/durable-stores.ts";
import { expectResult, type TestClient, textOf, until } from "../testing/test-client.ts";
import { startTestServer, type TestServer, tokenFor } from "../testing/test-server.ts";
import { openValkeyStores } from "../testing/valkey-log.ts";
import { startCluster, startStandalone, type ValkeyServers } from "../testing/valkey-processes.ts";

const group = "durable:log";
const channel = { kind: { case: "group" as const, value: group } };
const features = ["resume", "durable", "history", "cursor"];

const withoutValkey = requireTool("valkey-server") === undefined;

describe.each([
  { name: "in memory", isSkipped: false, start: undefined },
  { name: "in Valkey", isSkipped: withoutValkey, start: () => startStandalone() },
  { name: "in a Valkey cluster", isSkipped: withoutValkey, start: startCluster },
])("a durable channel $name", ({ isSkipped, start }) => {
  let servers: ValkeyServers | undefined;
  let stores: (DurableStores & AsyncDisposable) | undefined;
  let fixture: TestServer;

  beforeAll(async () => {
    if (!isSkipped) servers = await start?.();
  }, 60_000);
  afterAll(async () => await servers?.[Symbol.asyncDispose]());

  beforeEach(async (context) => {
    if (isSkipped) return context.skip();
    stores = servers && (await openValkeyStores(servers));
    fixture = await startTestServer(stores && { stores });
  });

  afterEach(async () => {
    await fixture?.[Symbol.asyncDispose]();
    await stores?.[Symbol.asyncDispose]();
  });

  const join = (player: string) => fixture.join(player, { hello: { features } });

  const arrive = async (player: string, hello: Partial<Parameters<TestClient["hello"]>[0]>) => {
    const client = await fixture.dial();
    return { client, welcome: await client.hello({ token: tokenFor(player), features, ...hello }) };
  };

  const publishMany = async (client: TestClient, from: number, to: number): Promise<void> => {
    for (let i = from; i <= to; i++) await client.publish(group, `${i}`);
  };

  it("answers STORED with the position, and chains offsets and tags (FF-DU-006, FF-DU-010)", async () => {
    const [ann, bob] = await Promise.all([join("ann"), join("bob")]);
    const subscribed = await bob.subscribe(group);
    expect(subscribed).toMatchObject({ deliveryClass: 2, position: { offset: 0n, tag: 0 }, recovered: false });
    const results = [await ann.publish(group, "1"), await ann.publish(group, "2", { wantReport: true })];
    expect(results.map(({ outcome, position }) => [outcome, position?.offset])).toEqual([
      [Outcome.STORED, 1n],
      [Outcome.STORED, 2n],
    ]);
    const [first, second] = await bob.received(2);
    expect(first?.log).toMatchObject({ offset: 1n, previousTag: 0, tag: results[0]?.position?.tag });
    expect(second?.log).toMatchObject({ offset: 2n, previousTag: first?.log?.tag });
  });

  it("stores a repeat once and answers the first position (FF-DU-011)", async () => {
    const [ann, bob] = await Promise.all([join("ann"), join("bob")]);
    await bob.subscribe(group);
    const publish = ann.publishOf(group, "once");
    const [first, again] = [
      expectResult(await ann.request({ case: "publish", value: publish }), "publishResult"),
      expectResult(await ann.request({ case: "publish", value: publish }), "publishResult"),
    ];
    expect(again).toMatchObject({ outcome: Outcome.STORED, repeated: true, position: first.position });
    await ann.publish(group, "next");
    expect((await bob.received(2)).map(textOf)).toEqual(["once", "next"]);
  });

  it("begins a new session at the head, and says caught_up only after a replay", async () => {
    const ann = await join("ann");
    await publishMany(ann, 1, 3);
    const bob = await join("bob");
    expect(await bob.subscribe(group)).toMatchObject({ position: { offset: 3n }, head: { offset: 3n } });
    await ann.publish(group, "4");
    expect((await bob.received(1)).map(textOf)).toEqual(["4"]);
    expect(bob.kinds).not.toContain("subscription");
  });

  it("rewinds, replays in order, says caught_up, and goes on (FF-DU-021)", async () => {
    const ann = await join("ann");
    await publishMany(ann, 1, 5);
    const bob = await join("bob");
    const start = { case: "rewind" as const, value: 3 };
    expect(await bob.subscribe(group, { start })).toMatchObject({ position: { offset: 2n }, head: { offset: 5n } });
    const { event } = await bob.frame("subscription");
    expect(event).toMatchObject({ case: "caughtUp", value: { position: { offset: 5n } } });
    await ann.publish(group, "6");
    expect((await bob.received(4)).map(textOf)).toEqual(["3", "4", "5", "6"]);
    expect(fixture.counters.messagesDelivered).toBe(4);
  });

  it("refuses a rewind past the namespace's bound (FF-DU-014)", async () => {
    const bob = await join("bob");
    const request = { case: "subscribe" as const, value: { channel, start: { case: "rewind" as const, value: 101 } } };
    expect(expectResult(await bob.request(request), "error")).toMatchObject({ field: "subscribe.rewind" });
  });

  it("puts a skip in the place of what the publisher excluded itself from (FF-DU-009)", async () => {
    const ann = await join("ann");
    await ann.subscribe(group);
    await ann.publish(group, "1", { excludeSelf: true });
    await ann.publish(group, "2");
    const skip = await ann.frame("skip");
    expect(skip).toMatchObject({ fromOffset: 1n, toOffset: 1n, reason: SkipReason.EXCLUDED });
    const [message] = await ann.received(1);
    expect(message?.log).toMatchObject({ offset: 2n, previousTag: skip.tag });
  });

  it("recovers a session that comes back, without a hole or a double, while publishing goes on", async () => {
    const ann = await join("ann");
    let { client: bob, welcome } = await arrive("bob", {});
    await bob.subscribe(group);
    const taken: Message[] = [];
    const publishing = publishMany(ann, 1, 90);
    for (let attempt = 2; attempt <= 6 && taken.length < 90; attempt++) {
      await bob.received(Math.min(8, 90 - taken.length)); // all may have come while it was away
      bob.cut();
      taken.push(...inOrder(bob, taken));
      const last = taken.at(-1)?.log;
      const position = {
        epoch: epochOf(welcome.subscriptions) ?? (await epoch(ann)),
        offset: last?.offset ?? 0n,
        tag: last?.tag ?? 0,
      };
      const subscriptions = [{ channel, start: { case: "after" as const, value: position } }];
      const resume = { sessionId: welcome.sessionId, secret: welcome.resumeSecret };
      ({ client: bob, welcome } = await arrive("bob", { attempt, resume, subscriptions }));
      expect(subscribedOf(welcome.subscriptions)).toMatchObject({ recovered: true });
      expect(subscribedOf(welcome.subscriptions)?.gap).toBeUndefined();
    }
    await publishing;
    while (taken.length + inOrder(bob, taken).length < 90) await bob.next((frame) => frame.kind.case === "message");
    taken.push(...inOrder(bob, taken));
    expect(taken.map(textOf)).toEqual(Array.from({ length: 90 }, (_, i) => `${i + 1}`));
  });

  it("tells a gap to whoever was away longer than the log reaches back (FF-DU-017)", async () => {
    const ann = await join("ann");
    const first = await ann.publish(group, "0");
    for (let i = 1; i < 150; i++) ann.tell(group, `${i}`);
    await ann.publish(group, "150"); // its answer says that all of them are stored
    const bob = await join("bob");
    const subscribed = await bob.subscribe(group, { start: { case: "after", value: first.position! } });
    expect(subscribed).toMatchObject({
      recovered: false,
      gap: { reason: 2, from: { offset: 1n }, to: { offset: 51n }, missed: 50n },
    });
    expect((await bob.received(100)).map(textOf).at(0)).toBe("51");
  });

  it("reads history both ways, and from where it was left (FF-HI-003, FF-HI-004)", async () => {
    const ann = await join("ann");
    await publishMany(ann, 1, 7);
    const page = async (query: object) =>
      expectResult(await ann.request({ case: "history", value: { channel, ...query } }), "historyPage");
    const newest = await page({ limit: 3 });
    expect(newest.messages.map(textOf)).toEqual(["7", "6", "5"]);
    const older = await page({ limit: 10, from: newest.next });
    expect(older.messages.map(textOf)).toEqual(["4", "3", "2", "1"]);
    expect(older.next).toBeUndefined();
    const oldest = await page({ limit: 4, direction: 2 });
    expect(oldest.messages.map(textOf)).toEqual(["1", "2", "3", "4"]);
    const rest = await page({ limit: 4, direction: 2, from: oldest.next });
    expect(rest.messages.map(textOf)).toEqual(["5", "6", "7"]);
    expect(rest.next).toBeUndefined();
    expect(rest.messages[0]?.log).toMatchObject({ offset: 5n, previousTag: oldest.messages[3]?.log?.tag });
  });

  it("keeps a cursor across sessions, only forward, and counts the unread (FF-HI-007, FF-DU-015)", async () => {
    const ann = await join("ann");
    await publishMany(ann, 1, 5);
    const bob = await join("bob");
    const { messages } = expectResult(
      await bob.request({ case: "history", value: { channel, direction: 2 } }),
      "historyPage",
    );
    const epochNow = await epoch(ann);
    const at = (message: Message) => ({ epoch: epochNow, offset: message.log!.offset, tag: message.log!.tag });
    const commit = async (index: number) =>
      expectResult(
        await bob.request({ case: "cursorCommit", value: { channel, position: at(messages[index]!) } }),
        "cursorCommitted",
      );
    expect(await commit(2)).toMatchObject({ cursor: { offset: 3n } });
    expect(await commit(0)).toMatchObject({ cursor: { offset: 3n } });
    const { client: later, welcome } = await arrive("bob", { subscriptions: [{ channel }] });
    const subscribed = subscribedOf(welcome.subscriptions);
    expect(subscribed).toMatchObject({
      cursor: { offset: 3n },
      head: { offset: 5n },
      position: { offset: 3n },
      recovered: true,
    });
    expect((await later.received(2)).map(textOf)).toEqual(["4", "5"]);
  });

  it("refuses to commit a position that is not of the log (FF-HI-008)", async () => {
    const ann = await join("ann");
    const { position } = await ann.publish(group, "1");
    const commit = (wrong: object) =>
      ann.request({ case: "cursorCommit", value: { channel, position: { ...position!, ...wrong } } });
    for (const wrong of [{ offset: 2n }, { epoch: 5n }, { tag: position!.tag === 1 ? 2 : 1 }]) {
      expect(expectResult(await commit(wrong), "error")).toMatchObject({ code: 24 });
    }
  });

  it("is a live channel for a client without the feature", async () => {
    const [ann, old] = await Promise.all([join("ann"), fixture.join("old", { hello: { features: ["resume"] } })]);
    expect(await old.subscribe(group)).toMatchObject({ deliveryClass: 1 });
    await ann.publish(group, "1");
    expect((await old.received(1)).map(textOf)).toEqual(["1"]);
  });

  it("serves a slow reader from the log: nothing is lost, the queue stays bounded, the connection stays (FF-DU-024)", async () => {
    await using slowFixture = await startTestServer({
      ...(stores && { stores }),
      limits: { sendQueueBytes: 65_536, bytesPerSecond: 100_000_000 },
    });
    const [ann, bob] = await Promise.all([
      slowFixture.join("ann", { hello: { features } }),
      slowFixture.join("bob", { hello: { features } }),
    ]);
    await bob.subscribe(group);
    bob.pause();
    const filler = "x".repeat(60_000);
    for (let i = 1; i <= 90; i++) await ann.publish(group, `${i} ${filler}`);
    expect(slowFixture.server.node.counters.sendQueueBytes).toBeLessThan(2 * 65_536);
    bob.resume();
    const numbers = (await bob.received(90)).map((message) => Number.parseInt(textOf(message), 10));
    expect(numbers).toEqual(Array.from({ length: 90 }, (_, i) => i + 1));
  });

  it("reads a page of history after the other for a slow reader, and keeps its connection", async () => {
    const limits = { sendQueueBytes: 262_144, bytesPerSecond: 100_000_000, maxPayloadBytes: 65_536 };
    await using slowFixture = await startTestServer({ ...(stores && { stores }), limits });
    const [ann, bob] = await Promise.all(
      ["ann", "bob"].map((player) => slowFixture.join(player, { hello: { features } })),
    );
    const filler = "x".repeat(60_000);
    for (let i = 1; i <= 20; i++) await ann?.publish(group, `${i} ${filler}`);
    bob?.pause();
    const request = { case: "history" as const, value: { channel, limit: 20 } };
    const pages = Promise.all(Array.from({ length: 60 }, () => bob?.request(request)));
    // More than the kernel takes, while nothing is read.
    const { counters } = slowFixture.server.node;
    await until(() => counters.bytesOut > 2_000_000, "pages are on their way");
    expect(counters.sendQueueBytes).toBeLessThanOrEqual(262_144);
    bob?.resume();
    for (const page of await pages) {
      const { messages, next } = expectResult(page!, "historyPage");
      expect([messages.map(({ log }) => log?.offset), next?.offset]).toEqual([[20n, 19n], 19n]);
    }
    expect(bob?.closedWith).toBeUndefined();
  });

  async function epoch(client: TestClient): Promise<bigint> {
    const { head } = expectResult(
      await client.request({ case: "history", value: { channel, limit: 1 } }),
      "historyPage",
    );
    return head!.epoch;
  }
});

/** The messages of a client that follow what was taken, as far as they follow one another without a hole. */
function inOrder(client: TestClient, taken: readonly Message[]): Message[] {
  const fresh: Message[] = [];
  for (const message of client.messages) {
    const last = fresh.at(-1) ?? taken.at(-1);
    const next = (last?.log?.offset ?? 0n) + 1n;
    if ((message.log?.offset ?? 0n) < next) continue;
    expect(message.log).toMatchObject({ offset: next, previousTag: last?.log?.tag ?? 0 });
    fresh.push(message);
  }
  return fresh;
}

type Results = Extract<ServerFrame["kind"], { case: "welcome" }>["value"]["subscriptions"];

function subscribedOf(results: Results): Subscribed | undefined {
  const found = results.find(({ channel: of }) => of?.kind.value === group);
  return found?.result.case === "subscribed" ? found.result.value : undefined;
}

function epochOf(results: Results): bigint | undefined {
  return subscribedOf(results)?.position?.epoch;
}
