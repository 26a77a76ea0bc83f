import { describe, expect, it } from "vitest";
import { text } from "./payload.ts";
import { Scripted } from "./testing/scripted.ts";
import { settled } from "./testing/virtual-clock.ts";
import { CloseCode, ErrorCode, GapReason, Outcome } from "./wire/schema.ts";

describe("reconnecting", () => {
  it("resumes the session with its newest secret and a growing attempt, also before any message was received [FF-SE-015]", async () => {
    const t = await Scripted.connected();
    await t.socket.end();
    expect(t.statuses.at(-1)).toMatchObject({ type: "waiting", delayMs: 125, error: { closeCode: 1006 } });
    await t.clock.advance(125);
    await t.welcome();
    const { frame: hello } = t.socket.last("hello");
    expect(hello).toMatchObject({
      attempt: 2,
      resume: { sessionId: "session-1", secret: "secret-1", handOver: false },
    });
    expect(t.statuses.at(-1)).toMatchObject({ type: "open", resumed: true });
    await t.socket.end();
    await t.clock.advance(500);
    await t.socket.accept();
    expect(t.socket.last("hello").frame).toMatchObject({ attempt: 3, resume: { secret: "secret-2" } });
  });

  it("counts an attempt whose welcome never came [FF-HS-018]", async () => {
    const t = await Scripted.connected();
    await t.socket.end();
    await t.clock.advance(250);
    await t.socket.accept();
    await t.socket.end();
    await t.clock.advance(500);
    await t.socket.accept();
    expect(t.socket.last("hello").frame).toMatchObject({ attempt: 3, resume: { secret: "secret-1" } });
  });

  it("begins a new session after a code that ends it, and does not come back after 4000-4099", async () => {
    const lost = await Scripted.connected();
    await lost.socket.end(CloseCode.SESSION_LOST);
    await lost.clock.advance(2000);
    await lost.socket.accept();
    expect(lost.socket.last("hello").frame).toMatchObject({ attempt: 1 });
    expect(lost.socket.last("hello").frame.resume).toBeUndefined();

    const kicked = await Scripted.connected();
    const group = await kicked.join("a");
    const stream = group.messages(text());
    await kicked.socket.end(CloseCode.KICKED, "cheating");
    await kicked.clock.advance(60_000);
    expect(kicked.network.sockets).toHaveLength(1);
    expect(kicked.statuses.at(-1)).toMatchObject({ type: "closed", error: { closeCode: 4007, message: "cheating" } });
    await expect(stream.next()).rejects.toMatchObject({ code: ErrorCode.SESSION_ENDED });
    await expect(kicked.client.to("broadcast").publish(text(), "x")).rejects.toMatchObject({
      code: ErrorCode.SESSION_ENDED,
    });
  });

  it("draws its delay over the server's window after 4200, and not below a code's own least delay", async () => {
    const t = await Scripted.connected({}, { reconnectWindowMs: 8000 });
    await t.socket.end(CloseCode.GOING_AWAY);
    expect(t.statuses.at(-1)).toMatchObject({ type: "waiting", delayMs: 4000 });
    const slow = await Scripted.connected();
    slow.random = 0;
    await slow.socket.end(CloseCode.OVERLOADED);
    expect(slow.statuses.at(-1)).toMatchObject({ type: "waiting", delayMs: 1000 });
  });

  it("comes back at once when the network does, and does not try meanwhile", async () => {
    const t = await Scripted.connected();
    await t.lifecycle("offline");
    await t.socket.end();
    await t.clock.advance(29_000);
    expect(t.network.sockets).toHaveLength(1);
    await t.lifecycle("online");
    expect(t.network.sockets).toHaveLength(2);
  });

  it("lets go when suspended, keeps the session, and takes it up again", async () => {
    const t = await Scripted.connected();
    await t.lifecycle("suspend");
    expect(t.socket.closedBy).toMatchObject({ code: 1000 });
    expect(t.client.status).toBe("suspended");
    await t.clock.sleep(3_600_000);
    expect(t.network.sockets).toHaveLength(1);
    await t.lifecycle("wake");
    await t.welcome();
    expect(t.socket.last("hello").frame.resume).toMatchObject({ sessionId: "session-1" });
    expect(t.client.status).toBe("open");
  });

  it("names what it has joined in hello, and tells every gap [FF-SB-017]", async () => {
    const t = await Scripted.connected();
    const gaps: unknown[] = [];
    for (const name of ["a", "b"]) (await t.join(name)).on("gap", (gap) => gaps.push([name, gap.reason]));
    await t.socket.end();
    await t.clock.advance(250);
    await t.socket.accept();
    const { frame: hello } = t.socket.last("hello");
    expect(hello.subscriptions.map(({ channel }) => channel)).toEqual([{ group: "a" }, { group: "b" }]);
    const gap = { reason: GapReason.DETACHED };
    const subscriptions = hello.subscriptions.map(({ channel }) => ({
      channel,
      subscribed: { deliveryClass: 1, gap },
    }));
    await t.socket.say(t.welcomeFrame({ subscriptions }));
    expect(gaps).toEqual([
      ["a", GapReason.DETACHED],
      ["b", GapReason.DETACHED],
    ]);
  });

  it("tells a gap by itself when the session could not be resumed", async () => {
    const t = await Scripted.connected();
    const group = await t.join("a");
    const gaps: unknown[] = [];
    group.on("gap", (gap) => gaps.push(gap.reason));
    t.client.broadcast.on("gap", (gap) => gaps.push(gap.reason));
    await t.socket.end();
    await t.clock.advance(250);
    await t.welcome({ resumed: false, sessionId: "session-2", origin: 12n });
    expect(gaps).toEqual([GapReason.DETACHED, GapReason.DETACHED]);
    expect(t.client.sessionId).toBe("session-2");
    expect(t.statuses.find((event) => event.type === "open" && event.sessionId === "session-2")).toMatchObject({
      resumed: false,
    });
  });

  it("closes a channel that the server no longer gives", async () => {
    const t = await Scripted.connected();
    const closed: unknown[] = [];
    const group = await t.join("a");
    group.on("closed", (event) => closed.push(event.error?.code));
    await t.socket.end();
    await t.clock.advance(250);
    const error = { code: ErrorCode.PERMISSION_DENIED };
    await t.welcome({ subscriptions: [{ channel: { group: "a" }, error }] });
    expect(closed).toEqual([ErrorCode.PERMISSION_DENIED]);
    expect(group.subscribed).toBe(false);
    expect(t.client.channels).toHaveLength(0); // not even its own: the welcome is the whole truth
  });

  it("opens what did not fit into hello after the welcome", async () => {
    const t = await Scripted.connected();
    for (let i = 0; i < 260; i++) {
      const joined = t.client.join(`g${i}`);
      await Promise.resolve();
      await t.subscribed();
      await joined;
    }
    await t.socket.end();
    await t.clock.advance(250);
    await t.welcome();
    const inHello = t.socket.last("hello").frame.subscriptions.length;
    expect(inHello).toBeLessThanOrEqual(256);
    for (let answered = 0; answered < 260 - inHello; answered++) {
      const { id } = t.socket.sent("subscribe")[answered] ?? { id: 0 };
      await t.socket.say({ id, reply: { subscribed: { deliveryClass: 1 } } });
    }
    expect(t.socket.sent("subscribe")).toHaveLength(260 - inHello);
    expect(t.client.channels).toHaveLength(262);
  });

  it("tells with the end of a connection what the server said on that one, and not on an earlier one", async () => {
    const t = await Scripted.connected();
    await t.socket.say({ error: { code: ErrorCode.INTERNAL, message: "out of memory", retryAfterMs: 0, field: "" } });
    await t.socket.end(4105);
    expect(t.statuses.at(-1)).toMatchObject({ type: "waiting", error: { cause: { message: "out of memory" } } });
    await t.clock.advance(500);
    await t.socket.end();
    const last = t.statuses.at(-1);
    expect(last?.type === "waiting" && last.error?.cause).toBeUndefined();
  });

  it("has no more requests on their way than the server admits", async () => {
    const t = await Scripted.connected({}, { limits: { maxPendingRequests: 8 } });
    const pages = Array.from({ length: 5 }, () => t.client.presence("broadcast"));
    await settled();
    expect(t.socket.sent("presence")).toHaveLength(2);
    for (let i = 0; i < 5; i++) {
      const { id } = t.socket.sent("presence")[i] ?? { id: 0 };
      await t.socket.say({ id, reply: { presencePage: { sessions: i } } });
    }
    expect((await Promise.all(pages)).map(({ sessions }) => sessions)).toEqual([0, 1, 2, 3, 4]);
  });

  it("sends requests whose connection was lost again on the next one", async () => {
    const t = await Scripted.connected();
    const page = t.client.presence({ group: "a" });
    await t.socket.end();
    await t.clock.advance(250);
    await t.welcome();
    const { id } = t.socket.last("presence");
    await t.socket.say({ id, reply: { presencePage: { sessions: 3, players: 2 } } });
    expect(await page).toMatchObject({ sessions: 3, players: 2, nextPageToken: undefined });
  });
});

describe("unanswered publishes", () => {
  it("are repeated under their numbers, in order, before anything newer, and are delivered once [FF-ID-002, FF-ID-003]", async () => {
    const t = await Scripted.connected();
    const group = t.client.to({ group: "a" });
    const first = [group.publish(text(), "1"), group.publish(text(), "2"), group.publish(text(), "3")];
    await t.clock.advance(0);
    const [one] = t.socket.sent("publish");
    await t.socket.say({ id: one?.id ?? 0, reply: { publishResult: { outcome: Outcome.DELIVERED } } });
    await t.socket.end();
    const queued = group.publish(text(), "4");
    expect(group.send(text(), "volatile")).toBe(false);
    await t.clock.advance(250);
    await t.welcome();
    const repeated = t.socket.sent("publish");
    expect(repeated.map(({ frame }) => [frame.seq, frame.payload?.text])).toEqual([
      [2, "2"],
      [3, "3"],
      [4, "4"],
    ]);
    for (const { id } of repeated) {
      await t.socket.say({ id, reply: { publishResult: { outcome: Outcome.DELIVERED, repeated: true } } });
    }
    expect((await Promise.all([...first, queued])).map(({ repeated }) => repeated)).toEqual([false, true, true, true]);
  });

  it("are not repeated twice when a second connection is lost after the repeat was answered", async () => {
    const t = await Scripted.connected();
    const published = t.client.to({ group: "a" }).publish(text(), "1");
    await t.clock.advance(0);
    await t.socket.end();
    await t.clock.advance(250);
    await t.welcome();
    const { id } = t.socket.last("publish");
    await t.socket.say({ id, reply: { publishResult: { outcome: Outcome.DELIVERED, repeated: true } } });
    await published;
    await t.socket.end();
    await t.clock.advance(500);
    await t.welcome();
    expect(t.socket.sent("publish")).toEqual([]);
  });

  it("fail with UNKNOWN in a new session, while those that were never sent go on [FF-ID-005]", async () => {
    const t = await Scripted.connected();
    const group = t.client.to({ group: "a" });
    const sent = group.publish(text(), "sent").catch((thrown: unknown) => thrown);
    await t.clock.advance(0);
    await t.socket.end();
    const waiting = group.publish(text(), "waiting");
    await t.clock.advance(250);
    await t.welcome({ resumed: false, sessionId: "session-2", origin: 12n });
    expect(await sent).toMatchObject({ code: ErrorCode.SESSION_ENDED, outcome: Outcome.UNKNOWN });
    expect(t.socket.sent("publish").map(({ frame }) => frame.payload?.text)).toEqual(["waiting"]);
    await t.socket.say({ id: t.socket.last("publish").id, reply: { publishResult: { outcome: Outcome.DELIVERED } } });
    expect(await waiting).toMatchObject({ outcome: Outcome.DELIVERED });
  });

  it("keep their number when their caller has given up", async () => {
    const t = await Scripted.connected();
    const controller = new AbortController();
    const published = t.client
      .to({ group: "a" })
      .publish(text(), "1", { signal: controller.signal as never })
      .catch((thrown: unknown) => thrown);
    await t.clock.advance(0);
    controller.abort();
    expect(await published).toMatchObject({ code: ErrorCode.CANCELLED, outcome: Outcome.UNKNOWN });
    await t.socket.end();
    await t.clock.advance(250);
    await t.welcome();
    expect(t.socket.last("publish").frame).toMatchObject({ seq: 1 });
  });
});
