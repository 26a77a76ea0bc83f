import { CloseCode, GapReason, GoawayReason, type Welcome } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { type TestClient, until } from "../testing/test-client.ts";
import { startTestServer, type TestServer, tokenFor } from "../testing/test-server.ts";

const features = ["resume", "hand_over", "report"];
const group = (value: string) => ({ channel: { kind: { case: "group" as const, value } } });

function moveOf({ sessionId, resumeSecret, attempt, playerId }: Welcome, groups: string[] = []) {
  const resume = { sessionId, secret: resumeSecret, handOver: true };
  return {
    token: tokenFor(playerId),
    features,
    attempt: attempt + 1,
    resume,
    subscriptions: groups.map(group),
  };
}

function join(server: TestServer, player: string, groups: string[] = [], options: object = {}) {
  return server.join(player, { hello: { features, subscriptions: groups.map(group) }, ...options });
}

/** Moves a client to another listener as an SDK would: the new connection beside the old one. */
async function move(server: TestServer, from: TestClient, listener: number, groups: string[]): Promise<TestClient> {
  const to = await server.dial({ listener });
  await to.hello(moveOf(from.welcome!, groups));
  await from.frame("handedOver");
  expect((await from.ended()).code).toBe(CloseCode.HANDED_OVER);
  expect(from.kinds.at(-1)).toBe("handedOver");
  return to;
}

describe("hand-over between listeners", () => {
  for (const protocol of ["fanfare.v1.proto", "fanfare.v1.json"]) {
    it(`tells clients of ${protocol} where and when to go, and moves them without a gap`, async () => {
      await using server = await startTestServer({ additionalListeners: 1 });
      const alice = await join(server, "alice", ["lobby"], { protocol });
      const { told, done } = server.server.drainListener(0, 1, { windowMs: 1000, deadlineMs: 5000 });
      expect(told).toBe(1);
      const goaway = await alice.frame("goaway");
      expect(goaway).toMatchObject({ reason: GoawayReason.REBALANCING, deadlineMs: 5000, url: server.connectUrl(1) });
      expect(goaway.reconnectAfterMs).toBeLessThanOrEqual(1000);
      await alice.publish("lobby", "still served");
      const moved = await move(server, alice, 1, ["lobby"]);
      const gaps = moved.welcome!.subscriptions.map(({ result }) => result.case === "subscribed" && result.value.gap);
      expect(gaps).toEqual([undefined, undefined, undefined]);
      expect(moved.welcome).toMatchObject({ resumed: true, origin: alice.welcome!.origin });
      await done;
      expect(server.counters).toMatchObject({ handshakesHandedOver: 1, sessions: 1, connections: 1 });
    });
  }

  it("loses, doubles and reorders nothing while messages come and the client moves back and forth", async () => {
    const limits = { publishesPerSecond: 100_000, publishBurst: 100_000, framesPerSecond: 100_000 };
    await using server = await startTestServer({ additionalListeners: 1, limits });
    const publisher = await join(server, "bob", [], { listener: 1 });
    let reader = await join(server, "alice", ["lobby"]);
    const readers = [reader];
    let sent = 0;
    const publish = (count: number) => {
      for (let i = 0; i < count; i++) publisher.tell("lobby", `${sent++}`);
    };
    for (let round = 0; round < 6; round++) {
      publish(100);
      server.server.drainListener(round % 2, (round + 1) % 2, { windowMs: 0, deadlineMs: 8000 });
      await reader.frame("goaway");
      server.server.reopen((round + 1) % 2);
      publish(100);
      const target = (round + 1) % 2;
      const to = await server.dial({ listener: target });
      to.sayHello(moveOf(reader.welcome!, ["lobby"]));
      publish(100);
      to.welcome = await to.frame("welcome");
      publish(100);
      await reader.frame("handedOver");
      await reader.ended();
      reader = to;
      readers.push(to);
      server.server.reopen(round % 2);
      // The publisher is moved too when its listener drains, so it is told to go and stays until the deadline.
    }
    const total = () => readers.reduce((sum, { messages }) => sum + messages.length, 0);
    await until(() => total() >= sent, "every message");
    await reader.settle();
    const texts = readers.flatMap((one) => one.texts.map(Number));
    expect(texts).toEqual(Array.from({ length: sent }, (_, i) => i));
  });

  it("does not handle what arrives on the former connection afterwards", async () => {
    await using server = await startTestServer({ additionalListeners: 1 });
    const alice = await join(server, "alice", ["lobby"]);
    server.server.drainListener(0, 1, { windowMs: 0, deadlineMs: 5000 });
    await alice.frame("goaway");
    const to = await server.dial({ listener: 1 });
    await to.hello(moveOf(alice.welcome!, ["lobby"]));
    alice.send({ id: 1, kind: { case: "publish", value: alice.publishOf("lobby", "too late") } });
    await alice.ended();
    await to.settle();
    expect(to.texts).toEqual([]);
    expect(alice.kinds).not.toContain("reply");
  });

  it("takes over with a gap once the former connection is gone", async () => {
    await using server = await startTestServer({ additionalListeners: 1 });
    const alice = await join(server, "alice", ["lobby"]);
    server.server.drainListener(0, 1, { windowMs: 0, deadlineMs: 5000 });
    await alice.frame("goaway");
    alice.cut();
    await until(() => server.counters.sessionsDetached === 1, "the session to be detached");
    const to = await server.dial({ listener: 1 });
    const welcome = await to.hello(moveOf(alice.welcome!, ["lobby"]));
    const [lobby] = welcome.subscriptions;
    expect(lobby?.result.case === "subscribed" && lobby.result.value.gap?.reason).toBe(GapReason.DETACHED);
  });

  it("refuses new connections at a listener that drains with 4200, until it is opened again", async () => {
    await using server = await startTestServer({ additionalListeners: 1 });
    server.server.drainListener(0, 1);
    expect((await (await server.dial()).ended()).code).toBe(CloseCode.GOING_AWAY);
    await join(server, "alice", [], { listener: 1 });
    server.server.reopen(0);
    await join(server, "alice");
  });
});

describe("drain", () => {
  it("spreads clients over the window and serves them until they have gone", async () => {
    await using server = await startTestServer();
    const clients = await Promise.all(Array.from({ length: 10 }, (_, i) => join(server, `p${i}`)));
    const { told, done } = server.server.drain({ windowMs: 1000, deadlineMs: 5000 });
    expect(told).toBe(10);
    const times: number[] = [];
    for (const client of clients) {
      const goaway = await client.frame("goaway");
      expect(goaway).toMatchObject({ reason: GoawayReason.DRAINING, url: "", deadlineMs: 5000 });
      times.push(goaway.reconnectAfterMs);
    }
    times.sort((a, b) => a - b);
    expect(times).toEqual(Array.from({ length: 10 }, (_, i) => i * 100));
    await clients[0]!.publish("lobby", "still served");
    for (const client of clients) await client.close();
    await done;
    await server.server.closed;
  });

  it("closes who stays with 4200 at the deadline, and who cannot be handed over at its time", async () => {
    await using server = await startTestServer();
    const stays = await join(server, "alice");
    const plain = await server.join("bob", { hello: { features: ["resume"] } });
    const { done } = server.server.drain({ windowMs: 100, deadlineMs: 300 });
    const order: string[] = [];
    const [one, two] = await Promise.all([
      plain.ended().finally(() => order.push("plain")),
      stays.ended().finally(() => order.push("stays")),
    ]);
    expect([one.code, two.code]).toEqual([CloseCode.GOING_AWAY, CloseCode.GOING_AWAY]);
    expect(order).toEqual(["plain", "stays"]);
    expect(plain.kinds).toContain("goaway");
    await done;
  });

  it("closes at once who has not said hello, and refuses whoever comes", async () => {
    await using server = await startTestServer();
    const silent = await server.dial();
    const open = await join(server, "alice");
    const { told } = server.server.drain({ windowMs: 0, deadlineMs: 5000 });
    expect(told).toBe(1);
    expect((await silent.ended()).code).toBe(CloseCode.GOING_AWAY);
    expect((await (await server.dial()).ended()).code).toBe(CloseCode.GOING_AWAY);
    await open.close();
    await server.server.closed;
  });

  it("joins a drain that is under way", async () => {
    await using server = await startTestServer();
    const client = await join(server, "alice");
    const first = server.server.drain({ windowMs: 0, deadlineMs: 5000 });
    const second = server.server.drain({ windowMs: 0, deadlineMs: 1 });
    expect(second.told).toBe(0);
    await client.settle();
    await client.close();
    await Promise.all([first.done, second.done]);
  });
});
