import { describe, expect, it } from "vitest";
import { text } from "./payload.ts";
import type { FakeSocket } from "./testing/fake-network.ts";
import { Scripted } from "./testing/scripted.ts";
import { settled } from "./testing/virtual-clock.ts";
import type { Init } from "./wire/codec.ts";
import { CloseCode, ErrorCode, GapReason, GoawayReason, Outcome, type ServerFrame } from "./wire/schema.ts";

const goaway = { goaway: { reason: GoawayReason.DRAINING, deadlineMs: 30_000, reconnectAfterMs: 400 } };
const message = (seq: number, group = "a", origin = 99n): Init<ServerFrame> => ({
  message: { channel: { group }, origin, seq, payload: { type: "", text: `${seq}` }, from: "bob" },
});

/** A client in group `a`, and what it receives there. */
async function inGroup(options: Parameters<typeof Scripted.connected>[0] = {}) {
  const t = await Scripted.connected(options);
  const group = await t.join("a");
  const received: string[] = [];
  const gaps: unknown[] = [];
  group.on(text(), (value) => received.push(value));
  group.on("gap", (gap) => gaps.push(gap.reason));
  return { t, group, received, gaps, old: t.socket };
}

/** Sends the client away and welcomes it on a second connection. */
async function moved(t: Scripted): Promise<FakeSocket> {
  await t.socket.say(goaway);
  await t.clock.advance(400);
  await t.welcome({ nodeId: "node-2" });
  return t.socket;
}

describe("moving on goaway", () => {
  it("opens a second connection at its time, beside the first, with hand_over [FF-GO-006, FF-GO-008]", async () => {
    const { t, old } = await inGroup();
    await old.say(goaway);
    expect(t.statuses.at(-1)).toEqual({ type: "moving", reason: GoawayReason.DRAINING });
    await t.clock.advance(399);
    expect(t.network.sockets).toHaveLength(1);
    await t.clock.advance(1);
    expect(t.network.sockets).toHaveLength(2);
    await t.socket.accept();
    expect(old.closedBy).toBeUndefined();
    const { frame: hello } = t.socket.last("hello");
    expect(hello).toMatchObject({ attempt: 2, resume: { sessionId: "session-1", handOver: true } });
    expect(hello.subscriptions).toMatchObject([{ channel: { group: "a" } }]);
  });

  it("holds what the new connection brings until handed_over, and drops what it has seen [FF-GO-010, FF-ID-014]", async () => {
    const { t, received, gaps, old } = await inGroup();
    const next = await moved(t);
    await next.say(message(2), message(3));
    await old.say(message(1), message(2));
    expect(received).toEqual(["1", "2"]);
    await old.say({ handedOver: {} });
    expect(received).toEqual(["1", "2", "3"]);
    await next.say(message(4));
    expect(received).toEqual(["1", "2", "3", "4"]);
    expect(gaps).toEqual([]);
    expect(t.statuses.at(-1)).toMatchObject({ type: "open", resumed: true, nodeId: "node-2" });
    await old.end(CloseCode.HANDED_OVER);
    expect(t.client.status).toBe("open");
  });

  it("has requests wait until the new connection has taken over, which does not know of what they change", async () => {
    const { t, group, old } = await inGroup();
    await old.say(goaway);
    await t.clock.advance(400);
    await t.socket.accept();
    const late = [t.client.join("b"), group.leave()];
    await settled();
    expect(old.sent("subscribe")).toHaveLength(1);
    expect(old.sent("unsubscribe")).toHaveLength(0);
    await t.welcome({ nodeId: "node-2" });
    expect(t.socket.sent("subscribe")).toHaveLength(0);
    await old.say({ handedOver: {} });
    expect(t.socket.last("subscribe").frame).toMatchObject({ channel: { group: "b" } });
    expect(t.socket.last("unsubscribe").frame).toMatchObject({ channel: { group: "a" } });
    for (const one of late) one.catch(() => {});
  });

  it("sends what has waited on the old connection, if the new one is lost", async () => {
    const { t, old } = await inGroup();
    await old.say(goaway);
    await t.clock.advance(400);
    await t.socket.accept();
    t.client.join("b").catch(() => {});
    await settled();
    await t.socket.end(1006);
    expect(old.last("subscribe").frame).toMatchObject({ channel: { group: "b" } });
  });

  it("names in the hello what is asked for on the old connection, and takes it as opened by both answers", async () => {
    const { t, old } = await inGroup();
    await old.say(goaway);
    const joining = t.client.join("b");
    await settled();
    const { id } = old.last("subscribe");
    await t.clock.advance(400);
    await t.socket.accept();
    expect(t.socket.last("hello").frame.subscriptions).toMatchObject([
      { channel: { group: "a" } },
      { channel: { group: "b" } },
    ]);
    const live = { deliveryClass: 1 };
    await old.say({ id, reply: { subscribed: live } });
    const [got, gaps]: [string[], unknown[]] = [[], []];
    const joined = await joining;
    joined.on(text(), (value) => got.push(value));
    joined.on("gap", ({ reason }) => gaps.push(reason));
    await t.welcome({
      subscriptions: [
        { channel: { group: "a" }, subscribed: live },
        { channel: { group: "b" }, subscribed: live },
      ],
    });
    await t.socket.say(message(1, "b"), message(2, "b"));
    await old.say(message(1, "b"), { handedOver: {} });
    expect([got, gaps]).toEqual([["1", "2"], []]);
    expect(t.told).not.toContain("channel-opened");
  });

  it("leaves what is refused in the hello and on the old connection to the answer of the latter", async () => {
    const { t, old } = await inGroup();
    await old.say(goaway);
    const refused = t.client.join("b").catch((thrown: unknown) => thrown);
    await settled();
    const { id } = old.last("subscribe");
    await t.clock.advance(400);
    await t.socket.accept();
    const error = { code: ErrorCode.PERMISSION_DENIED };
    await old.say({ id, reply: { error } });
    await t.welcome({
      subscriptions: [
        { channel: { group: "a" }, subscribed: { deliveryClass: 1 } },
        { channel: { group: "b" }, error },
      ],
    });
    await old.say({ handedOver: {} });
    expect(await refused).toMatchObject(error);
    const closed = t.statuses.flatMap((status) => (status.type === "channel-closed" ? [status.channel.target] : []));
    expect(closed).not.toContainEqual({ group: "b" });
  });

  it("tells a gap of what was opened on the old connection and the hello does not name, when it stands again", async () => {
    const { t, old } = await inGroup();
    await old.say(goaway);
    const joining = t.client.join("b", { from: "head" });
    await settled();
    const { id } = old.last("subscribe");
    await t.clock.advance(400);
    await t.socket.accept();
    expect(t.socket.last("hello").frame.subscriptions).toHaveLength(1);
    await old.say({ id, reply: { subscribed: { deliveryClass: 1 } } });
    const gaps: unknown[] = [];
    (await joining).on("gap", ({ reason }) => gaps.push(reason));
    await t.welcome({ subscriptions: [{ channel: { group: "a" }, subscribed: { deliveryClass: 1 } }] });
    await old.say({ handedOver: {} });
    const again = t.socket.last("subscribe");
    expect(again.frame).toMatchObject({ channel: { group: "b" } });
    expect(gaps).toEqual([]);
    await t.socket.say({ id: again.id, reply: { subscribed: { deliveryClass: 1 } } });
    expect(gaps).toEqual([GapReason.DETACHED]);
  });

  it("tells what the new welcome says about subscriptions only when the new connection takes over", async () => {
    const { t, old } = await inGroup();
    await old.say(goaway);
    await t.clock.advance(400);
    const live = { deliveryClass: 1 };
    await t.welcome({
      subscriptions: [
        { channel: { group: "a" }, subscribed: live },
        { channel: { group: "guild" }, subscribed: { ...live, byServer: true } },
      ],
    });
    expect(t.told).not.toContain("channel-opened");
    await old.say({ handedOver: {} });
    expect(t.told).toContain("channel-opened");
  });

  it("takes the end of the old connection without handed_over for a gap [FF-GO-011]", async () => {
    const { t, received, gaps, old } = await inGroup();
    const next = await moved(t);
    await next.say(message(3));
    await old.say(message(1));
    await old.end(1006);
    expect(received).toEqual(["1", "3"]);
    expect(gaps).toEqual([GapReason.DETACHED]);
  });

  it("publishes on the new connection only when nothing on the old one is unanswered [FF-GO-009]", async () => {
    const { t, group, old } = await inGroup();
    await old.say(goaway);
    await t.clock.advance(400);
    const first = group.publish(text(), "first");
    await settled();
    await t.welcome();
    const second = group.publish(text(), "second");
    await settled();
    expect(t.socket.sent("publish")).toEqual([]);
    await old.say({ id: old.last("publish").id, reply: { publishResult: { outcome: Outcome.DELIVERED } } });
    expect(await first).toMatchObject({ outcome: Outcome.DELIVERED });
    expect(old.sent("publish")).toHaveLength(1);
    expect(t.socket.last("publish").frame).toMatchObject({ seq: 2 });
    await t.socket.say({ id: t.socket.last("publish").id, reply: { publishResult: { outcome: Outcome.DELIVERED } } });
    expect(await second).toMatchObject({ outcome: Outcome.DELIVERED });
  });

  it("repeats on the new connection what the old one did not answer [FF-GO-012]", async () => {
    const { t, group, old } = await inGroup();
    const published = group.publish(text(), "first");
    await settled();
    const next = await moved(t);
    const newer = group.publish(text(), "newer");
    await old.say({ handedOver: {} });
    expect(next.sent("publish").map(({ frame }) => [frame.seq, frame.payload?.text])).toEqual([
      [1, "first"],
      [2, "newer"],
    ]);
    for (const { id } of next.sent("publish")) {
      await next.say({ id, reply: { publishResult: { outcome: Outcome.DELIVERED } } });
    }
    await Promise.all([published, newer]);
  });

  it("waits for a reply on the old connection, and sends a request again when it did not come", async () => {
    const { t, old } = await inGroup();
    const answered = t.client.presence("broadcast");
    const unanswered = t.client.presence({ group: "a" });
    await settled();
    const [first] = old.sent("presence");
    const next = await moved(t);
    await old.say({ id: first?.id ?? 0, reply: { presencePage: { sessions: 1 } } });
    expect(await answered).toMatchObject({ sessions: 1 });
    expect(next.sent("presence")).toEqual([]);
    await old.say({ handedOver: {} });
    const again = next.last("presence");
    expect(again.frame.channel).toEqual({ group: "a" });
    await next.say({ id: again.id, reply: { presencePage: { sessions: 2 } } });
    expect(await unanswered).toMatchObject({ sessions: 2 });
  });

  it("serves on, and tries again, when the next connection fails", async () => {
    const { t, received, old } = await inGroup();
    await old.say(goaway);
    await t.clock.advance(400);
    await t.socket.end();
    await old.say(message(1));
    expect(received).toEqual(["1"]);
    await t.clock.advance(125);
    expect(t.network.sockets).toHaveLength(3);
    await t.welcome();
    await old.say({ handedOver: {} });
    expect(t.client.status).toBe("open");
  });

  it("keeps what it held when the next connection is lost before the old one has handed over", async () => {
    const { t, received, old } = await inGroup();
    const next = await moved(t);
    await next.say(message(2));
    await next.end();
    await old.say(message(1));
    await old.say({ handedOver: {} });
    expect(received).toEqual(["1", "2"]);
    await t.clock.advance(250);
    await t.welcome();
    expect(t.client.status).toBe("open");
  });

  it("follows an address only to its own origin, or to one that is allowed [FF-GO-007]", async () => {
    for (const [url, allowedOrigins, followed] of [
      ["ws://game.test/v1/connect?node=2", [], "ws://game.test/v1/connect?node=2"],
      ["ws://evil.test/v1/connect", [], "ws://game.test/v1/connect"],
      ["ws://game.test:81/v1/connect", [], "ws://game.test/v1/connect"],
      ["ws://two.game.test/v1/connect", ["http://two.game.test"], "ws://two.game.test/v1/connect"],
      ["nonsense", [], "ws://game.test/v1/connect"],
    ] as const) {
      const { t, old } = await inGroup({ allowedOrigins });
      await old.say({ goaway: { ...goaway.goaway, url } });
      await t.clock.advance(400);
      expect(t.socket.url, url).toBe(followed);
    }
    const secure = await Scripted.connected({ url: "wss://game.test" });
    await secure.socket.say({ goaway: { ...goaway.goaway, url: "ws://game.test/v1/connect" } });
    await secure.clock.advance(400);
    expect(secure.socket.url, "never from wss to ws [FF-SC-007]").toBe("wss://game.test/v1/connect");
  });

  it("goes back to its own address when the one it was sent to fails", async () => {
    const { t, old } = await inGroup({ allowedOrigins: ["ws://two.test"] });
    await old.say({ goaway: { ...goaway.goaway, url: "ws://two.test/v1/connect" } });
    await t.clock.advance(400);
    expect(t.socket.url).toBe("ws://two.test/v1/connect");
    await t.socket.end();
    await t.clock.advance(125);
    expect(t.socket.url).toBe("ws://game.test/v1/connect");
  });

  it("moves on at once when it is told to by the next one, and loses nothing on the way", async () => {
    const { t, received, gaps, old } = await inGroup();
    const second = await moved(t);
    await second.say(goaway, message(2));
    await old.say(message(1), { handedOver: {} });
    await t.clock.advance(400);
    await t.welcome({ nodeId: "node-3" });
    const third = t.socket;
    await third.say(message(4));
    await second.say(message(3), { handedOver: {} });
    expect(received).toEqual(["1", "2", "3", "4"]);
    expect(gaps).toEqual([]);
    expect(t.client.server.nodeId).toBe("node-3");
  });

  it("gives the old connection up when it has to hold too much", async () => {
    const { t, received, gaps, old } = await inGroup();
    const next = await moved(t);
    for (let i = 0; i < 11; i++) {
      await next.say(...Array.from({ length: 1000 }, (_, n) => message(i * 1000 + n + 1)));
    }
    expect(old.closedBy).toBeDefined();
    expect(gaps).toEqual([GapReason.DETACHED]);
    expect(received).toHaveLength(11_000);
  });

  it("without hand_over in force closes first and connects anew", async () => {
    const t = await Scripted.connected({}, { features: ["resume"] });
    const old = t.socket;
    await old.say(goaway);
    await t.clock.advance(400);
    expect(old.closedBy).toBeDefined();
    expect(t.network.sockets).toHaveLength(2);
    await t.socket.accept();
    expect(t.socket.last("hello").frame.resume).toMatchObject({ handOver: false });
  });
});
