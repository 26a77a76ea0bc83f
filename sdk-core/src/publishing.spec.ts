import { describe, expect, it } from "vitest";
import { FanfareError } from "./error.ts";
import { json, text } from "./payload.ts";
import { Scripted } from "./testing/scripted.ts";
import { settled } from "./testing/virtual-clock.ts";
import { ErrorCode, Outcome } from "./wire/schema.ts";

const failure = (thrown: unknown) => thrown;

/** Answers every publish that was sent and not answered. */
async function answerAll(t: Scripted, answered: Set<number> = new Set()): Promise<void> {
  for (const { id } of t.socket.sent("publish")) {
    if (id === 0 || answered.has(id)) continue;
    answered.add(id);
    await t.socket.say({ id, reply: { publishResult: { outcome: Outcome.DELIVERED } } });
  }
}

describe("publish", () => {
  it("says where, what and how, and gives back what became of it", async () => {
    const t = await Scripted.connected();
    const sent = t.client
      .to({ player: "bob" })
      .publish(json<{ x: number }>("move"), { x: 1 }, { report: true, ttlMs: 500, excludeSelf: true });
    await settled();
    const { id, frame } = t.socket.last("publish");
    expect(frame).toMatchObject({
      channel: { player: "bob" },
      payload: { type: "move", json: '{"x":1}' },
      seq: 1,
      volatile: false,
      ttlMs: 500,
      excludeSelf: true,
      wantReport: true,
    });
    const report = { reached: 2, detached: 1 };
    await t.socket.say({ id, reply: { publishResult: { outcome: Outcome.OFFLINE, report } } });
    expect(await sent).toMatchObject({ outcome: Outcome.OFFLINE, repeated: false, report });
  });

  it("takes a refusal of a repeat by the rate of frames for no word of what became of the first", async () => {
    const t = await Scripted.connected();
    const publish = () => t.client.broadcast.publish(text(), "x").catch(failure);
    const results = [publish(), publish()];
    await settled();
    await t.socket.end();
    await t.clock.advance(125);
    await t.welcome();
    const [a, b] = t.socket.sent("publish").map(({ id }) => id);
    results.push(publish());
    await settled();
    const { id: c } = t.socket.last("publish");
    const refusal = (code: ErrorCode) => ({ error: { code, message: "", retryAfterMs: 0, field: "" } });
    await t.socket.say(
      { id: a ?? 0, reply: refusal(ErrorCode.RATE_LIMITED) },
      { id: b ?? 0, reply: refusal(ErrorCode.PERMISSION_DENIED) },
      { id: c, reply: refusal(ErrorCode.RATE_LIMITED) },
    );
    const outcomes = (await Promise.all(results)).map((one) => (one as FanfareError).outcome);
    expect(outcomes).toEqual([Outcome.UNKNOWN, Outcome.FAILED, Outcome.FAILED]);
  });

  it("rejects with the server's refusal, with FAILED and UNKNOWN, and says which", async () => {
    const t = await Scripted.connected();
    const publish = () => t.client.broadcast.publish(text(), "x").catch(failure);
    const results = [publish(), publish(), publish(), publish()];
    await settled();
    const [a, b, c, d] = t.socket.sent("publish").map(({ id }) => id);
    const limited = { code: ErrorCode.RATE_LIMITED, message: "slower", retryAfterMs: 120, field: "" };
    await t.socket.say(
      { id: a ?? 0, reply: { error: limited } },
      { id: b ?? 0, reply: { publishResult: { outcome: Outcome.FAILED, error: { code: ErrorCode.UNAVAILABLE } } } },
      { id: c ?? 0, reply: { publishResult: { outcome: Outcome.UNKNOWN } } },
      { id: d ?? 0, reply: { publishResult: { outcome: 99 as Outcome } } },
    );
    const [limitedError, failed, unknown, later] = await Promise.all(results);
    expect(limitedError).toMatchObject({ retryAfterMs: 120, retryable: true, outcome: Outcome.FAILED });
    expect(failed).toMatchObject({ code: ErrorCode.UNAVAILABLE, outcome: Outcome.FAILED, retryAfterMs: 200 });
    expect(unknown).toMatchObject({ outcome: Outcome.UNKNOWN });
    expect(unknown).toBeInstanceOf(FanfareError);
    expect(later).toMatchObject({ code: ErrorCode.INTERNAL, outcome: Outcome.UNKNOWN }); // of a later revision: no success
  });

  it("does not set what belongs to a feature that is not in force [FF-FE-002]", async () => {
    const t = await Scripted.connected({}, { features: [] });
    t.client.broadcast.publish(text(), "x", { report: true }).catch(failure);
    t.client.join("a", { presence: { name: "x" } }).catch(failure);
    await settled();
    expect(t.socket.last("publish").frame.wantReport).toBe(false);
    expect(t.socket.last("subscribe").frame.presence).toBe(false);
    await expect(t.client.presence("broadcast")).rejects.toMatchObject({ code: ErrorCode.UNIMPLEMENTED });
    expect(t.socket.sent("presence")).toEqual([]);
  });

  it("refuses what no server would take, before it is sent", async () => {
    const t = await Scripted.connected();
    const before = t.socket.messages.length;
    const big = "x".repeat(65_537);
    await expect(t.client.broadcast.publish(text(), big)).rejects.toMatchObject({ code: ErrorCode.TOO_LARGE });
    await expect(t.client.broadcast.publish(text(), "é".repeat(40_000))).rejects.toMatchObject({
      code: ErrorCode.TOO_LARGE,
    });
    expect(() => t.client.to({ group: "no blanks" })).toThrow(expect.objectContaining({ field: "channel.group" }));
    expect(() => t.client.to({ player: "" })).toThrow(FanfareError);
    expect(() => t.client.broadcast.send(text(), "x", { conflate: "é".repeat(33) })).toThrow(FanfareError);
    await expect(t.client.broadcast.publish(text(), "x", { ttlMs: -1 })).rejects.toMatchObject({
      field: "publish.ttl_ms",
    });
    await expect(t.client.broadcast.publish(text("no blanks"), "x")).rejects.toMatchObject({ field: "payload.type" });
    const circular: { self?: unknown } = {};
    circular.self = circular;
    await expect(t.client.broadcast.publish(json(), circular)).rejects.toMatchObject({
      code: ErrorCode.INVALID_ARGUMENT,
    });
    expect(t.socket.messages.length).toBe(before);
  });

  it("waits in a queue bounded by count and bytes, and refuses what is past it", async () => {
    const t = await Scripted.connected({ maxQueuedPublishes: 3, maxQueuedBytes: 4000 });
    await t.socket.end();
    const group = t.client.to({ group: "a" });
    for (let i = 0; i < 3; i++) group.publish(text(), "x").catch(failure);
    await expect(group.publish(text(), "x")).rejects.toMatchObject({
      code: ErrorCode.LIMIT_EXCEEDED,
      outcome: Outcome.FAILED,
    });
    const u = await Scripted.connected({ maxQueuedBytes: 4000 });
    await u.socket.end();
    u.client.broadcast.publish(text(), "x".repeat(3000)).catch(failure);
    await expect(u.client.broadcast.publish(text(), "x".repeat(3000))).rejects.toMatchObject({
      code: ErrorCode.LIMIT_EXCEEDED,
    });
  });

  it("gives its place in the queue back when it is sent", async () => {
    const t = await Scripted.connected({ maxQueuedBytes: 4000 });
    const answered = new Set<number>();
    for (let i = 0; i < 5; i++) {
      const published = t.client.broadcast.publish(text(), "x".repeat(1500));
      await settled();
      await answerAll(t, answered);
      await published;
    }
    await t.socket.end();
    const refused: unknown[] = [];
    for (const size of [1, 1, 1500, 1500]) {
      t.client.broadcast.publish(text(), "x".repeat(size)).catch((thrown: unknown) => refused.push(thrown));
    }
    await settled();
    expect(refused).toMatchObject([{ code: ErrorCode.LIMIT_EXCEEDED }]);
  });

  it("gives up at its deadline, and says whether it was sent", async () => {
    const t = await Scripted.connected();
    const sent = t.client.broadcast.publish(text(), "sent", { timeoutMs: 5000 }).catch(failure);
    await t.clock.advance(0);
    await t.socket.end();
    const unsent = t.client.broadcast.publish(text(), "unsent", { timeoutMs: 50 }).catch(failure);
    await t.clock.advance(60);
    expect(await unsent).toMatchObject({ code: ErrorCode.EXPIRED, outcome: Outcome.FAILED });
    await t.clock.advance(5000);
    expect(await sent).toMatchObject({ code: ErrorCode.DEADLINE_EXCEEDED, outcome: Outcome.UNKNOWN });
    await t.socket.accept();
    await t.socket.say(t.welcomeFrame({}));
    expect(t.socket.sent("publish").map(({ frame }) => frame.payload?.text)).toEqual(["sent"]); // [FF-ID-002]
  });

  it("does not send a message whose time to live passed in the queue", async () => {
    const t = await Scripted.connected();
    await t.socket.end();
    const expired = t.client.broadcast.publish(text(), "old", { ttlMs: 100 }).catch(failure);
    const kept = t.client.broadcast.publish(text(), "kept", { ttlMs: 10_000 });
    await t.clock.advance(250);
    await t.welcome();
    expect(t.socket.sent("publish").map(({ frame }) => frame.payload?.text)).toEqual(["kept"]);
    expect(await expired).toMatchObject({ code: ErrorCode.EXPIRED, outcome: Outcome.FAILED });
    await answerAll(t);
    await kept;
  });

  it("has no more on its way than the server admits, and keeps their order", async () => {
    const t = await Scripted.connected({}, { limits: { maxPendingRequests: 8 } });
    const published = Array.from({ length: 20 }, (_, i) => t.client.broadcast.publish(text(), `${i}`));
    const answered = new Set<number>();
    await settled();
    expect(t.socket.sent("publish")).toHaveLength(6); // a quarter is left to other requests
    for (let i = 0; i < 4; i++) await answerAll(t, answered);
    await Promise.all(published);
    expect(t.socket.sent("publish").map(({ frame }) => Number(frame.payload?.text))).toEqual(
      Array.from({ length: 20 }, (_, i) => i),
    );
  });

  it("goes out no faster than the server admits, so that a queue that has waited is not refused [FF-LI-001]", async () => {
    const t = await Scripted.connected(
      {},
      { limits: { publishesPerSecond: 10, publishBurst: 5, maxPendingRequests: 100 } },
    );
    await t.socket.end();
    const published = Array.from({ length: 30 }, (_, i) => t.client.broadcast.publish(text(), `${i}`));
    await t.clock.advance(250);
    await t.welcome({ limits: { publishesPerSecond: 10, publishBurst: 5, maxPendingRequests: 100 } });
    expect(t.socket.sent("publish")).toHaveLength(5);
    await t.clock.advance(1000);
    const sent = t.socket.sent("publish").length;
    expect(sent).toBeGreaterThanOrEqual(13);
    expect(sent).toBeLessThanOrEqual(15);
    await t.clock.advance(3000);
    await answerAll(t);
    await Promise.all(published);
    expect(t.socket.sent("publish")).toHaveLength(30);
  });

  it("waits while the socket has too much to send", async () => {
    const t = await Scripted.connected();
    t.socket.bufferedBytes = 2 * 1024 * 1024;
    const published = t.client.broadcast.publish(text(), "x");
    await t.clock.advance(1000);
    expect(t.socket.sent("publish")).toEqual([]);
    t.socket.bufferedBytes = 0;
    await t.clock.advance(20);
    await answerAll(t);
    expect(await published).toMatchObject({ outcome: Outcome.DELIVERED });
  });

  it("is taken out of the queue by its signal", async () => {
    const t = await Scripted.connected();
    await t.socket.end();
    const controller = new AbortController();
    const signal = controller.signal as never;
    const aborted = t.client.broadcast.publish(text(), "x", { signal }).catch(failure);
    controller.abort(new Error("enough"));
    expect(await aborted).toMatchObject({ code: ErrorCode.CANCELLED, outcome: Outcome.FAILED });
    await expect(t.client.broadcast.publish(text(), "y", { signal })).rejects.toMatchObject({
      code: ErrorCode.CANCELLED,
    });
    await t.clock.advance(250);
    await t.welcome();
    expect(t.socket.sent("publish")).toEqual([]);
  });
});

describe("send", () => {
  it("sends volatile messages without an id, with their conflation key", async () => {
    const t = await Scripted.connected();
    expect(t.client.to({ group: "a" }).send(text(), "x", { conflate: "me" })).toBe(true);
    await settled();
    expect(t.socket.last("publish")).toMatchObject({ id: 0, frame: { seq: 1, volatile: true, conflationKey: "me" } });
  });

  it("drops without a connection, and behind too much that waits to get out", async () => {
    const t = await Scripted.connected();
    t.socket.bufferedBytes = 300 * 1024;
    expect(t.client.broadcast.send(text(), "x")).toBe(false);
    t.socket.bufferedBytes = 0;
    expect(t.client.broadcast.send(text(), "x")).toBe(true);
    await t.socket.end();
    expect(t.client.broadcast.send(text(), "x")).toBe(false);
    await t.clock.advance(250);
    await t.welcome();
    expect(t.socket.sent("publish")).toEqual([]); // volatile ones are never repeated [FF-ID-006]
  });

  it("counts with publishes in one growing row of numbers [FF-ID-001]", async () => {
    const t = await Scripted.connected();
    t.client.broadcast.send(text(), "1");
    t.client.to({ group: "a" }).publish(text(), "2").catch(failure);
    t.client.broadcast.send(text(), "3");
    await settled();
    expect(t.socket.sent("publish").map(({ frame }) => frame.seq)).toEqual([1, 2, 3]);
  });
});
