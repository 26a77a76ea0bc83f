import { describe, expect, it } from "vitest";
import { text } from "./payload.ts";
import { at, DurableChannel, entry, from } from "./testing/durable-channel.ts";
import { inGroup, message } from "./testing/group-messages.ts";
import { Scripted } from "./testing/scripted.ts";
import { settled } from "./testing/virtual-clock.ts";
import { CloseCode, DeliveryClass, ErrorCode, GoawayReason, Outcome, SubscriptionCloseReason } from "./wire/schema.ts";

const failure = (thrown: unknown) => thrown;
const goaway = { goaway: { reason: GoawayReason.DRAINING, deadlineMs: 30_000, reconnectAfterMs: 400 } };
const live = { deliveryClass: DeliveryClass.LIVE };

describe("in an unlucky order, the client", () => {
  it("gives a durable backlog to everybody in order, though a listener removes itself on the way", async () => {
    const d = await DurableChannel.join(from(10, { head: at(13) }), {}, entry(11), entry(12), entry(13));
    const got: string[] = [];
    const off: () => void = d.group.on(text(), () => off());
    d.group.on(text(), (value) => got.push(value));
    await settled();
    expect(got).toEqual(["11", "12", "13"]);
  });

  it("tells a listener that a callback adds only what comes from then on", async () => {
    const { t, group } = await inGroup();
    const got: string[] = [];
    const off = group.on(text(), () => {
      off();
      group.on(text(), (value) => got.push(value));
    });
    await t.socket.say(message({ type: "", text: "1" }), message({ type: "", text: "2" }));
    expect(got).toEqual(["2"]);
    const events: string[] = [];
    const end = t.client.on("status", () => {
      end();
      t.client.on("status", (event) => events.push(event.type));
    });
    await t.socket.end();
    expect(events).toEqual([]);
  });

  it("keeps the options of a newer join when an older one fails", async () => {
    const { t } = await inGroup();
    const controller = new AbortController();
    const older = t.client.join("a", { presence: "older", signal: controller.signal as never }).catch(failure);
    const newer = t.client.join("a", { presence: "newer" });
    await settled();
    await t.subscribed(true);
    await newer;
    controller.abort();
    await older;
    await t.socket.end();
    await t.clock.advance(250);
    await t.socket.accept();
    expect(t.socket.last("hello").frame.subscriptions).toMatchObject([
      { presence: true, presenceData: { json: '"newer"' } },
    ]);
  });

  it("keeps no options of a join that was refused while an older one waited", async () => {
    const t = await Scripted.connected();
    const older = t.client.join("a");
    await settled();
    const { id } = t.socket.last("subscribe");
    const newer = t.client.join("a", { presence: "newer" }).catch(failure);
    await settled();
    await t.socket.say({ id: t.socket.last("subscribe").id, reply: { error: { code: ErrorCode.TOO_LARGE } } });
    await newer;
    await t.socket.say({ id, reply: { subscribed: live } });
    await older;
    await t.socket.end();
    await t.clock.advance(250);
    await t.socket.accept();
    expect(t.socket.last("hello").frame.subscriptions[0]?.presenceData).toBeUndefined();
  });

  it("gives a channel that the server closed while a join of it waited, and opened again by that", async () => {
    const t = await Scripted.connected();
    const channel = { group: "a" };
    await t.socket.say({ subscription: { channel, opened: { ...live, byServer: true } } });
    const joining = t.client.join("a").catch(failure);
    await settled();
    await t.socket.say({ subscription: { channel, closed: { reason: SubscriptionCloseReason.LEFT } } });
    await t.subscribed();
    const joined = await joining;
    expect(joined).not.toBeInstanceOf(Error);
    expect(t.client.channels).toContain(joined);
  });

  it("ends a channel that the server closed, when the join of it that waited is refused", async () => {
    const t = await Scripted.connected();
    const channel = { group: "a" };
    await t.socket.say({ subscription: { channel, opened: { ...live, byServer: true } } });
    const [known] = t.client.channels;
    const ended: unknown[] = [];
    known
      ?.messages(text())
      .next()
      .then((r) => ended.push(r.done));
    const joining = t.client.join("a").catch(failure);
    await settled();
    await t.socket.say({ subscription: { channel, closed: { reason: SubscriptionCloseReason.LEFT } } });
    await t.socket.say({ id: t.socket.last("subscribe").id, reply: { error: { code: ErrorCode.PERMISSION_DENIED } } });
    expect(await joining).toMatchObject({ code: ErrorCode.PERMISSION_DENIED });
    await settled();
    expect(ended).toEqual([true]);
    expect(t.client.channels.length).toBe(2);
  });

  it("begins anew what the server had opened, was left after the hello and joined again", async () => {
    const t = await Scripted.connected();
    const channel = { group: "a" };
    await t.socket.say({ subscription: { channel, opened: { ...from(10), byServer: true } } });
    const known = t.client.channels.find(({ target }) => target !== "broadcast" && "group" in target);
    known?.on(text(), () => {});
    await t.socket.say(entry(11));
    await t.socket.end();
    await t.clock.advance(250);
    await t.socket.accept();
    const subscriptions = [{ channel, subscribed: { ...from(11, { recovered: true }), byServer: true } }];
    const welcome = t.welcomeFrame({ subscriptions });
    known?.leave().catch(() => {});
    const joining = t.client.join("a");
    await t.socket.say(welcome, entry(12));
    const { id, frame } = t.socket.last("subscribe");
    expect(frame.after).toBeUndefined();
    await t.socket.say({ id, reply: { subscribed: from(8, { head: at(9), recovered: true }) } }, entry(9));
    const got: string[] = [];
    (await joining).on(text(), (value) => got.push(value));
    await settled();
    expect(got).toEqual(["9"]);
  });

  it("sends what has waited on the old connection, if the new one brings no welcome in time", async () => {
    const { t } = await inGroup();
    const old = t.socket;
    t.random = 0.9;
    await old.say(goaway);
    await t.clock.advance(400);
    await t.socket.accept();
    t.client.join("b", { timeoutMs: 60_000 }).catch(() => {});
    await t.clock.advance(15_000);
    expect(t.socket.closedBy?.code).toBe(4101);
    expect(old.sent("subscribe")).toHaveLength(2);
  });

  it("repeats a publish that nobody waits for any more, and does not move past it [FF-ID-002, FF-GO-009]", async () => {
    const { t, group } = await inGroup();
    const old = t.socket;
    const first = group.publish(text(), "first", { timeoutMs: 1000 }).catch(failure);
    await settled();
    await old.say(goaway);
    await t.clock.advance(400);
    await t.welcome();
    await t.clock.advance(1000);
    expect(await first).toMatchObject({ outcome: Outcome.UNKNOWN });
    group.publish(text(), "second").catch(failure);
    await settled();
    expect(t.socket.sent("publish")).toEqual([]);
    await old.say({ handedOver: {} });
    expect(t.socket.sent("publish").map(({ frame }) => frame.payload?.text)).toEqual(["first", "second"]);
  });

  it("resolves a second close with the connection, as the first", async () => {
    const { t } = await inGroup();
    const closed: number[] = [];
    t.client.close().then(() => closed.push(1));
    t.client.close().then(() => closed.push(2));
    await settled();
    expect(closed).toEqual([]);
    await t.socket.end(4000);
    expect(closed).toEqual([1, 2]);
  });

  it("ends the session on the connection that has taken it over, too", async () => {
    const { t } = await inGroup();
    const old = t.socket;
    await old.say(goaway);
    await t.clock.advance(400);
    await t.welcome();
    t.client.close("bye");
    await settled();
    expect([t.socket.sent("disconnect").length, t.socket.closedBy?.code]).toContainEqual(
      t.socket.sent("disconnect").length ? 1 : 4000,
    );
  });

  it("ends the session when it is closed before the welcome", async () => {
    const { t } = await inGroup();
    await t.socket.end();
    await t.clock.advance(250);
    await t.socket.accept();
    t.client.close("bye");
    await settled();
    expect(t.socket.closedBy?.code).toBe(4000);
  });

  it("aborts a request for a token with the client, and tells nothing of it behind the end", async () => {
    const t = new Scripted();
    const signals: AbortSignal[] = [];
    const rejects: ((e: Error) => void)[] = [];
    const statuses: string[] = [];
    const controller = new AbortController();
    await t.open({
      signal: controller.signal as never,
      onStatus: ({ type }) => statuses.push(type),
      getToken: ({ signal }) => {
        signals.push(signal as never);
        return new Promise((_, reject) => rejects.push(reject));
      },
    });
    controller.abort();
    await settled();
    expect(signals.map((s) => s.aborted)).toEqual([true]);
    rejects[0]?.(new Error("late"));
    await settled();
    expect(statuses).toEqual(["closed"]);
    await t.clock.advance(5);
    expect(t.clock.timers).toBe(0);
  });

  it("aborts a handler's signal with the connection of the call", async () => {
    const t = await Scripted.connected();
    const aborted: string[] = [];
    t.client.handle("slow", { request: text(), response: text() }, (_r, { signal }) => {
      signal.addEventListener("abort", () => aborted.push("aborted"));
      return new Promise<string>(() => {});
    });
    await t.socket.say({ id: 4, rpc: { method: "slow", payload: { text: "" }, deadlineMs: 0 } });
    await t.socket.end();
    expect(aborted).toEqual(["aborted"]);
  });

  it("answers INTERNAL for an AbortError of a handler's own", async () => {
    const t = await Scripted.connected();
    t.client.handle("x", { request: text(), response: text() }, () => {
      throw Object.assign(new Error("inner"), { name: "AbortError" });
    });
    await t.socket.say({ id: 4, rpc: { method: "x", payload: { text: "" }, deadlineMs: 0 } });
    expect(t.socket.last("rpcResult").frame.error?.code).toBe(ErrorCode.INTERNAL);
  });

  it("says that it is the former session which goes on, when a move has failed for good", async () => {
    const { t } = await inGroup();
    const old = t.socket;
    await old.say(goaway);
    await t.clock.advance(400);
    await t.socket.accept();
    await t.socket.end(CloseCode.PERMISSION_DENIED);
    expect(t.statuses.at(-1)).toMatchObject({ type: "open", resumed: true, sessionId: "session-1" });
  });

  it("does not move again after a close that ends the session, before the welcome", async () => {
    const { t } = await inGroup();
    await t.socket.say(goaway);
    await t.clock.advance(400);
    await t.socket.accept();
    await t.socket.end(CloseCode.SESSION_LOST);
    await t.clock.advance(5000);
    expect(t.network.sockets).toHaveLength(2);
  });

  it("says of a publish after the end that it was not sent", async () => {
    const { t, group } = await inGroup();
    t.client.close();
    const error = await group.publish(text(), "x").catch(failure);
    expect(error).toMatchObject({ outcome: Outcome.FAILED });
  });

  it("tells that it is suspended, also while it waits", async () => {
    const { t } = await inGroup();
    await t.socket.end();
    expect(t.told.at(-1)).toBe("waiting");
    await t.lifecycle("suspend");
    expect(t.client.status).toBe("suspended");
    expect(t.told.at(-1)).toBe("suspended");
    await t.lifecycle("offline");
    expect(t.told.filter((x) => x === "suspended")).toHaveLength(1);
  });

  it("shows again, after a move, what was shown behind its hello", async () => {
    const t = await Scripted.connected();
    const group = await t.join("a", { presence: "one" });
    const old = t.socket;
    await old.say(goaway);
    const updating = group.updatePresence("two");
    await settled();
    const { id } = old.last("presenceUpdate");
    await t.clock.advance(400);
    await t.socket.accept();
    await old.say({ id, reply: { presenceUpdated: {} } });
    updating.catch(() => {});
    await t.welcome();
    await old.say({ handedOver: {} });
    expect(t.socket.last("presenceUpdate").frame.data?.json).toBe('"two"');
  });

  it("does not change what is shown in a channel that was left and joined again as another", async () => {
    const t = await Scripted.connected();
    const group = await t.join("a", { presence: "one" });
    group.leave().catch(() => {});
    await t.join("a", { presence: "two" });
    group.updatePresence("stale").catch(() => {});
    await settled();
    expect(t.socket.sent("presenceUpdate")).toEqual([]);
  });

  it("has an empty roster when a channel is joined again without one", async () => {
    const t = await Scripted.connected();
    const group = await t.join("a", { roster: true });
    const member = { playerId: "bob", origin: 5n, generation: 1 };
    await t.socket.say({
      presenceEvent: {
        channel: { group: "a" },
        snapshot: { section: 1n, number: 1, first: true, last: true, members: [member] },
      },
    });
    expect([group.roster.complete, group.roster.sessions]).toEqual([true, 1]);
    await t.join("a");
    expect([group.roster.complete, group.roster.sessions]).toEqual([false, 0]);
  });

  it("has what is still queued behind the position, also after leaving [FF-HI-009]", async () => {
    const d = await DurableChannel.join(from(10));
    const stream = d.group.messages(text());
    await settled();
    await d.say(entry(11), entry(12), entry(13));
    d.group.leave().catch(() => {});
    expect((await stream.next()).value?.value).toBe("11");
    expect(d.group.position).toEqual(at(11));
    expect((await stream.next()).value?.value).toBe("12");
    expect(d.group.position).toEqual(at(12));
  });

  it("does not let a cursor go back in a move", async () => {
    const d = await DurableChannel.join(from(10, { cursor: at(5) }));
    const { t } = d;
    const old = t.socket;
    d.group.on(text(), () => {});
    await old.say(goaway);
    const committing = d.group.commit();
    await settled();
    await t.clock.advance(400);
    await t.welcome({
      subscriptions: [{ channel: { group: "a" }, subscribed: from(10, { cursor: at(5), recovered: true }) }],
    });
    await old.say({ id: old.last("cursorCommit").id, reply: { cursorCommitted: { cursor: at(10) } } });
    await committing;
    await old.say({ handedOver: {} });
    expect(d.group.cursor).toEqual(at(10));
  });

  it("calls the outcome of a repeat unknown that is too large for the next connection", async () => {
    const { t, group } = await inGroup();
    const sent = group.publish(text(), "x".repeat(3000)).catch(failure);
    await settled();
    await t.socket.end();
    await t.clock.advance(250);
    await t.welcome({ limits: { maxFrameBytes: 2048 } });
    expect(await sent).toMatchObject({ code: ErrorCode.TOO_LARGE, outcome: Outcome.UNKNOWN });
  });

  it("says that a volatile message is dropped which is larger than the server takes", async () => {
    const t = await Scripted.connected({}, { limits: { maxFrameBytes: 2048, maxPayloadBytes: 1_048_576 } });
    expect(t.client.broadcast.send(text(), "x".repeat(3000))).toBe(false);
  });

  it("lets a later goaway take the place of an earlier one", async () => {
    const { t } = await inGroup();
    await t.socket.say({ goaway: { ...goaway.goaway, reconnectAfterMs: 10_000 } });
    await t.socket.say(goaway);
    await t.clock.advance(400);
    expect(t.network.sockets).toHaveLength(2);
  });
});
