import { CloseCode, HistoryDirection, type HistoryPage } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { expectResult, type TestClient, textOf, until } from "../testing/test-client.ts";
import { startTestServer, type TestServer, type TestServerOptions } from "../testing/test-server.ts";

const fast = {
  publishesPerSecond: 1_000_000,
  publishBurst: 1_000_000,
  framesPerSecond: 1_000_000,
  bytesPerSecond: 1_073_741_824,
};
const filling = "x".repeat(20_000);

/** A server with a publisher, a reader that will be slow, and a bystander; both read `lobby`. */
async function scene(options: TestServerOptions = {}, protocol = "fanfare.v1.proto") {
  const limits = { ...fast, sendQueueBytes: 262_144, ...options.limits };
  const server = await startTestServer({ ...options, limits });
  const publisher = await server.join("publisher");
  const slow = await server.join("slow", { protocol, hello: { features: ["resume", "durable", "history"] } });
  const bystander = await server.join("bystander");
  for (const client of [slow, bystander]) await client.subscribe("lobby");
  slow.pause();
  const session = server.hub().sessions.get(slow.welcome!.sessionId)!;
  return { server, publisher, slow, bystander, session };
}

/** Sends volatile messages until the kernel takes no more of the slow reader's; returns how many. */
async function fill(server: TestServer, publisher: TestClient): Promise<number> {
  for (let sent = 0; ; ) {
    for (let i = 0; i < 4; i++) publisher.tell("lobby", `${sent++} ${filling}`, { volatile: true });
    await publisher.settle();
    if (server.counters.sendQueueBytes > 0) return sent;
    if (sent > 2_000) throw new Error("the kernel takes 100 MB");
  }
}

function droppedOf(client: TestClient): number {
  return client.frames.reduce((sum, { kind }) => sum + (kind.case === "dropped" ? Number(kind.value.count) : 0), 0);
}

function numbersOf(client: TestClient): number[] {
  return client.texts.map((text) => Number.parseInt(text, 10));
}

function expectGrowing(numbers: number[]): void {
  for (let i = 1; i < numbers.length; i++) expect(numbers[i]).toBeGreaterThan(numbers[i - 1]!);
}

for (const protocol of ["fanfare.v1.proto", "fanfare.v1.json"]) {
  describe(`a slow reader of ${protocol}`, () => {
    it("loses volatile messages, the oldest first, and is told how many; others lose none", async () => {
      const { server, publisher, slow, bystander } = await scene({}, protocol);
      await using _ = server;
      let sent = await fill(server, publisher);
      let highest = 0;
      for (let i = 0; i < 100; i++) {
        publisher.tell("lobby", `${sent++} ${filling}`, { volatile: true });
        if (i % 10 === 9) await publisher.settle();
        highest = Math.max(highest, server.counters.sendQueueBytes);
      }
      await publisher.settle();
      expect(highest).toBeLessThanOrEqual(262_144);
      expect(server.counters.messagesDropped).toBeGreaterThan(80);
      slow.resume();
      await until(() => slow.texts.length + droppedOf(slow) === sent, "every message or the word that it was dropped");
      expect(droppedOf(slow)).toBe(server.counters.messagesDropped);
      const numbers = numbersOf(slow);
      expectGrowing(numbers);
      expect(numbers.at(-1)).toBe(sent - 1);
      await bystander.received(sent);
      expect(numbersOf(bystander)).toEqual(Array.from({ length: sent }, (_, i) => i));
      await until(() => server.counters.sendQueueBytes === 0, "the queue to be empty");
      await slow.settle();
    });

    it("gets the newest of each conflation key, in the order of the newest", async () => {
      const { server, publisher, slow, bystander } = await scene({}, protocol);
      await using _ = server;
      const filled = await fill(server, publisher);
      for (let round = 0; round < 50; round++) {
        for (const key of ["a", "b", "c"]) {
          publisher.tell("lobby", `${key}${round}`, { volatile: true, conflationKey: key });
        }
        if (round % 10 === 9) await publisher.settle();
      }
      publisher.tell("lobby", "a-last", { volatile: true, conflationKey: "a" });
      await publisher.settle();
      expect(server.counters.messagesDropped).toBe(0);
      slow.resume();
      await until(() => slow.texts.at(-1) === "a-last", "the last message");
      expect(slow.texts.slice(filled)).toEqual(["b49", "c49", "a-last"]);
      expect(droppedOf(slow)).toBe(0);
      const seqs = slow.messages.map(({ seq }) => Number(seq));
      expectGrowing(seqs);
      await until(() => bystander.texts.at(-1) === "a-last", "the last message at the bystander");
      expectGrowing(bystander.messages.map(({ seq }) => Number(seq)));
    });

    it("gets pages of history as large as its queue has room for, in whatever form (FF-HI-003, FF-JS-007)", async () => {
      const { server, publisher, slow, session } = await scene({}, protocol);
      await using _ = server;
      const texts = Array.from({ length: 12 }, (_, i) => `${i} ${'"'.repeat(i === 5 ? 60_000 : 10_000)}`);
      for (const text of texts) await publisher.publish("durable:log", text);
      // What nobody may drop waits, and less than would keep a page back.
      while (server.counters.sendQueueBytes < 30_000) {
        publisher.tell("lobby", filling);
        await publisher.settle();
      }
      expect(session.link?.queuedBytes).toBeLessThan(65_536);
      const channel = { kind: { case: "group" as const, value: "durable:log" } };
      const pageFrom = async (from: HistoryPage["next"]) => {
        const request = { channel, direction: HistoryDirection.FORWARD, limit: 12, ...(from && { from }) };
        return expectResult(await slow.request({ case: "history", value: request }), "historyPage");
      };
      const first = pageFrom(undefined);
      await until(() => session.link === undefined || session.link.queuedBytes > 120_000, "the first page to wait");
      expect(session.link?.queuedBytes).toBeLessThanOrEqual(262_144);
      slow.resume();
      const got: HistoryPage["messages"] = [];
      for (let page = await first; ; page = await pageFrom(page.next)) {
        got.push(...page.messages);
        if (page.next === undefined) break;
      }
      expect(got.map(textOf)).toEqual(texts);
    });
  });
}

describe("a slow reader", () => {
  it("keeps live messages while volatile ones make room, in order", async () => {
    const { server, publisher, slow } = await scene();
    await using _ = server;
    await fill(server, publisher);
    const live = Array.from({ length: 20 }, (_, i) => `live ${i}`);
    for (const [i, text] of live.entries()) {
      publisher.tell("lobby", text);
      for (let j = 0; j < 3; j++) publisher.tell("lobby", `${i} ${filling}`, { volatile: true });
    }
    await publisher.settle();
    slow.resume();
    await until(() => slow.texts.at(-1)?.startsWith("19 ") === true, "the last message");
    expect(slow.texts.filter((text) => text.startsWith("live"))).toEqual(live);
  });

  it("is closed with 4100 when live messages overflow its queue; its session waits and others notice nothing", async () => {
    const { server, publisher, slow, bystander, session } = await scene();
    await using _ = server;
    let sent = await fill(server, publisher);
    while (session.link !== undefined) {
      publisher.tell("lobby", `${sent++} ${filling}`);
      await publisher.settle();
      expect(server.counters.sendQueueBytes).toBeLessThanOrEqual(262_144);
    }
    slow.resume();
    expect((await slow.ended()).code).toBe(CloseCode.SLOW_CONSUMER);
    expect(server.hub().sessions.has(session.id)).toBe(true);
    await bystander.received(sent);
    expect(bystander.texts.length).toBe(sent);
    expect(server.counters.sendQueueBytes).toBe(0);
  });

  it("is closed when its queue makes no progress for its time", async () => {
    const { server, publisher, slow, session } = await scene({ limits: { sendQueueStallMs: 150 } });
    await using _ = server;
    await fill(server, publisher);
    await until(() => session.link === undefined, "the session to be detached");
    expect(server.counters.sendQueueBytes).toBe(0);
    await until(
      () => (server.counters.closesByCode.get(CloseCode.SLOW_CONSUMER) ?? 0) === 1,
      "the connection to be cut",
    );
    slow.cut();
  });

  it("gets nothing whose time has passed while it waited", async () => {
    const { server, publisher, slow } = await scene();
    await using _ = server;
    await fill(server, publisher);
    publisher.tell("lobby", "short", { ttlMs: 1 });
    publisher.tell("lobby", "long", { ttlMs: 60_000 });
    await publisher.settle();
    const expired = Date.now() + 5;
    await until(() => Date.now() > expired, "five milliseconds");
    slow.resume();
    await until(() => slow.texts.at(-1) === "long", "the last message");
    expect(slow.texts).not.toContain("short");
    expect(server.counters.messagesExpired).toBe(1);
  });

  it("is closed with everything queued when the server ends its session while it waits", async () => {
    const { server, publisher, slow, session } = await scene();
    await using _ = server;
    await fill(server, publisher);
    publisher.tell("lobby", "last words");
    await publisher.settle();
    server.hub().end(session, { reason: "kicked", code: CloseCode.KICKED, message: "out" });
    slow.resume();
    expect((await slow.ended()).code).toBe(CloseCode.KICKED);
    expect(slow.texts.at(-1)).toBe("last words");
  });
});
