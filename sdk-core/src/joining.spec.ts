import { describe, expect, it } from "vitest";
import { text } from "./payload.ts";
import { inGroup, message } from "./testing/group-messages.ts";
import { Scripted } from "./testing/scripted.ts";
import { settled } from "./testing/virtual-clock.ts";
import { DeliveryClass, ErrorCode, GapReason, SubscriptionCloseReason } from "./wire/schema.ts";

describe("subscribing", () => {
  it("joins once for the same group, and rejects with the server's refusal", async () => {
    const { t, group } = await inGroup();
    expect(await t.join("a")).toBe(group);
    const refused = t.client.join("secret").catch((thrown: unknown) => thrown);
    await settled();
    const { id } = t.socket.last("subscribe");
    await t.socket.say({
      id,
      reply: { error: { code: ErrorCode.PERMISSION_DENIED, field: "subscribe.channel.group" } },
    });
    expect(await refused).toMatchObject({ code: ErrorCode.PERMISSION_DENIED, field: "subscribe.channel.group" });
    expect(t.client.channels.map(({ target }) => target)).toEqual([{ group: "a" }, { player: "alice" }, "broadcast"]);
  });

  it("leaves, and hears nothing more of it", async () => {
    const { t, group } = await inGroup();
    const got: string[] = [];
    group.on(text(), (value) => got.push(value));
    const left = group.leave();
    await settled();
    const { id, frame } = t.socket.last("unsubscribe");
    expect(frame.channel).toEqual({ group: "a" });
    await t.socket.say(message({ type: "", text: "late" }), { id, reply: { unsubscribed: {} } });
    await left;
    expect(got).toEqual([]);
    await t.socket.end();
    await t.clock.advance(250);
    await t.socket.accept();
    expect(t.socket.last("hello").frame.subscriptions).toEqual([]);
    const again = await t.welcome().then(() => t.join("a"));
    expect(again).not.toBe(group);
  });

  it("rejects a second join of a group that was left before its answer, instead of giving a channel that is over", async () => {
    const { t, group } = await inGroup();
    const again = t.client.join("a").catch((thrown: unknown) => thrown);
    group.leave().catch(() => {});
    await settled();
    await t.subscribed();
    expect(await again).toMatchObject({ code: ErrorCode.CANCELLED, message: "the channel was left" });
    expect(t.client.channels.map(({ target }) => target)).toEqual([{ player: "alice" }, "broadcast"]);
  });

  it("keeps a group that is joined again, when an older join is refused because the group was left", async () => {
    const { t, group } = await inGroup();
    const older = t.client.join("a").catch((thrown: unknown) => thrown);
    await settled();
    const { id } = t.socket.last("subscribe");
    group.leave().catch(() => {});
    const again = t.client.join("a");
    await settled();
    const left = t.socket.sent("unsubscribe").length;
    await t.subscribed();
    await t.socket.say({ id, reply: { error: { code: ErrorCode.CANCELLED } } });
    expect(await older).toMatchObject({ code: ErrorCode.CANCELLED });
    await settled();
    expect(t.socket.sent("unsubscribe")).toHaveLength(left);
    expect(t.client.channels).toContain(await again);
  });

  it("does not take up again what was left after the hello", async () => {
    const { t, welcome } = await leftAfterHello();
    await t.socket.say(welcome);
    expect(t.socket.last("unsubscribe").frame.channel).toEqual({ group: "a" });
    expect(t.client.channels.map(({ target }) => target)).toEqual([{ player: "alice" }, "broadcast"]);
  });

  it("begins anew what was left after the hello and joined again", async () => {
    const { t, welcome } = await leftAfterHello();
    const joining = t.client.join("a");
    await t.socket.say(welcome, message({ type: "", text: "of before" }));
    await t.subscribed();
    const got: string[] = [];
    (await joining).on(text(), (value) => got.push(value));
    await t.socket.say(message({ type: "", text: "new" }));
    expect(got).toEqual(["new"]);
  });

  it("takes back a subscription whose caller gave up before the answer", async () => {
    const t = await Scripted.connected();
    const controller = new AbortController();
    const joining = t.client.join("a", { signal: controller.signal as never }).catch((thrown: unknown) => thrown);
    await settled();
    controller.abort();
    expect(await joining).toMatchObject({ code: ErrorCode.CANCELLED });
    await settled();
    expect(t.socket.last("unsubscribe").frame.channel).toEqual({ group: "a" });
  });

  it("keeps a group that one call gave up waiting for while another waits on", async () => {
    const t = await Scripted.connected();
    const first = t.client.join("a", { timeoutMs: 1000 }).catch((thrown: unknown) => thrown);
    await t.clock.advance(500);
    const second = t.client.join("a");
    await t.clock.advance(600);
    expect(await first).toMatchObject({ code: ErrorCode.DEADLINE_EXCEEDED });
    await t.subscribed();
    const got: string[] = [];
    (await second).on(text(), (value) => got.push(value));
    await t.socket.say(message({ type: "", text: "1" }));
    expect(got).toEqual(["1"]);
    expect(t.socket.sent("unsubscribe")).toEqual([]);
  });

  it("takes nothing of the subscription it left for one of the next before its answer", async () => {
    const { t, group } = await inGroup();
    group.leave().catch(() => {});
    const joining = t.client.join("a");
    await settled();
    await t.socket.say(message({ type: "", text: "late" }));
    await t.subscribed();
    const got: string[] = [];
    (await joining).on(text(), (value) => got.push(value));
    await t.socket.say(message({ type: "", text: "new" }));
    expect(got).toEqual(["new"]);
  });

  it("tells of groups that the server opens and closes", async () => {
    const t = await Scripted.connected();
    const channel = { group: "guild" };
    await t.socket.say({ subscription: { channel, opened: { deliveryClass: DeliveryClass.LIVE, byServer: true } } });
    const opened = t.statuses.at(-1);
    if (opened?.type !== "channel-opened") throw new Error("no channel was opened");
    const got: string[] = [];
    const closed: unknown[] = [];
    opened.channel.on(text(), (value) => got.push(value));
    opened.channel.on("closed", (event) => closed.push(event.reason));
    await t.socket.say(message({ type: "", text: "1" }, { channel }));
    await t.socket.say({ subscription: { channel, closed: { reason: SubscriptionCloseReason.LEFT } } });
    await t.socket.say(message({ type: "", text: "2" }, { channel }));
    expect(got).toEqual(["1"]);
    expect(closed).toEqual([SubscriptionCloseReason.LEFT]);
    expect(t.statuses.at(-1)).toMatchObject({ type: "channel-closed", reason: SubscriptionCloseReason.LEFT });
  });

  it("subscribes again what the server failed to keep", async () => {
    const { t, group } = await inGroup();
    await t.socket.say({
      subscription: { channel: { group: "a" }, closed: { reason: SubscriptionCloseReason.FAILED } },
    });
    expect(t.socket.sent("subscribe")).toHaveLength(2);
    await t.subscribed();
    expect(group.subscribed).toBe(true);
  });

  it("subscribes again what the server had opened by itself and failed to keep [FF-SB-020]", async () => {
    const t = await Scripted.connected();
    const closed = { reason: SubscriptionCloseReason.FAILED };
    const gaps: unknown[] = [];
    t.client.broadcast.on("gap", ({ reason }) => gaps.push(reason));
    await t.socket.say({ subscription: { channel: { broadcast: true }, closed } });
    expect(t.socket.last("subscribe").frame).toMatchObject({ channel: { broadcast: true } });
    await t.subscribed();
    expect([gaps, t.told.includes("channel-closed")]).toEqual([[GapReason.DETACHED], false]);
  });

  it("keeps closed what the program has left, in a new session too", async () => {
    const t = await Scripted.connected();
    t.client.broadcast.leave().catch(() => {});
    await settled();
    await t.socket.say({ id: t.socket.last("unsubscribe").id, reply: { unsubscribed: {} } });
    await t.socket.end();
    await t.clock.advance(250);
    await t.welcome({ resumed: false, sessionId: "session-2" });
    const { id, frame } = t.socket.last("unsubscribe");
    expect(frame.channel).toEqual({ broadcast: true });
    await t.socket.say({ id, reply: { error: { code: ErrorCode.NOT_SUBSCRIBED } } });
    expect(t.statuses.filter((event) => event.type === "error")).toEqual([]);
  });
});

/** Somebody who comes back has said hello and then left the group; and the welcome, which names it. */
async function leftAfterHello() {
  const { t, group } = await inGroup();
  await t.socket.end();
  await t.clock.advance(250);
  await t.socket.accept();
  const welcome = t.welcomeFrame({});
  group.leave().catch(() => {});
  return { t, welcome };
}
