import { create, toBinary } from "@bufbuild/protobuf";
import { ChannelSchema, type Channel as ProtoChannel } from "@fanfare/proto/v1";
import { describe, expect, expectTypeOf, it } from "vitest";
import type { ChannelGap } from "./channel/channel-core.ts";
import { anyPayload, bytes, json, type Payload, text } from "./payload.ts";
import { inGroup, message } from "./testing/group-messages.ts";
import { Scripted } from "./testing/scripted.ts";
import type { Init } from "./wire/codec.ts";
import { DeliveryClass, ErrorCode, type Message } from "./wire/schema.ts";

interface Line {
  text: string;
}
const Line = json<Line>("chat.line");

const line = (value: string, more: Init<Message> = {}) =>
  message({ type: "chat.line", json: JSON.stringify({ text: value }) }, more);

describe("receiving before anybody listens", () => {
  const early = async (count: number) => {
    const t = await Scripted.connected();
    const joining = t.client.join("a");
    await t.clock.advance(0);
    const { id } = t.socket.last("subscribe");
    const lines = Array.from({ length: count }, (_, i) => line(`${i}`));
    await t.socket.say({ id, reply: { subscribed: { deliveryClass: DeliveryClass.LIVE } } }, ...lines);
    return { t, group: await joining };
  };

  it("loses nothing that came in one message with the answer to join, and keeps the order", async () => {
    const { t, group } = await early(3);
    const got: string[] = [];
    group.on(Line, ({ text: value }) => got.push(value));
    group.on(anyPayload, (_, meta) => got.push(meta.type));
    expect(got).toEqual([]);
    await t.socket.say(line("later"));
    const each = ["0", "1", "2", "later"].flatMap((value) => [value, "chat.line"]);
    expect(got).toEqual(each);
  });

  it("gives them to an iterator too, and tells how many did not fit", async () => {
    const { t, group } = await early(1030);
    const gaps: ChannelGap[] = [];
    group.on("gap", (gap) => gaps.push(gap));
    const stream = group.messages(Line, { maxQueued: 2000 })[Symbol.asyncIterator]();
    await t.socket.say();
    expect(gaps).toMatchObject([{ reason: "overflow", missed: 6 }]);
    expect((await stream.next()).value).toMatchObject({ value: { text: "6" } });
  });

  it("keeps nothing for longer than ten seconds", async () => {
    const { t, group } = await early(2);
    await t.clock.advance(10_001);
    await t.socket.say(line("new"));
    const got: string[] = [];
    group.on(Line, ({ text: value }) => got.push(value));
    await t.socket.say();
    expect(got).toEqual(["new"]);
  });
});

describe("receiving", () => {
  it("gives each callback the messages of its type, with what is known of them", async () => {
    const { t, group } = await inGroup();
    const got: unknown[] = [];
    group.on(Line, (value, meta) => {
      expectTypeOf(value).toEqualTypeOf<Line>();
      got.push([value.text, meta.id, meta.from, meta.sentAt.getTime(), meta.channel, meta.volatile, meta.type]);
    });
    group.on(text(), (value) => got.push(value));
    group.on(bytes(), (value) => got.push([...value]));
    group.on(ChannelSchema, (value) => {
      expectTypeOf(value).toEqualTypeOf<ProtoChannel>();
      got.push(value.kind.value);
    });
    const proto = toBinary(ChannelSchema, create(ChannelSchema, { kind: { case: "group", value: "g" } }));
    await t.socket.say(
      line("hi", { seq: 70 }),
      message({ type: "", text: "plain" }, { seq: 71 }),
      message({ type: "", binary: new Uint8Array([1]) }, { seq: 72 }),
      message({ type: "fanfare.v1.Channel", binary: proto }, { seq: 73 }),
      message({ type: "other", text: "x" }, { seq: 74 }),
    );
    expect(got).toEqual([
      ["hi", "5-70", "bob", 1_700_000_000_000, { group: "a" }, false, "chat.line"],
      "plain",
      [1],
      "g",
    ]);
  });

  it("shows every payload to who asks for any, an absent one as empty bytes", async () => {
    const { t, group } = await inGroup();
    const got: Payload[] = [];
    group.on(anyPayload, (payload) => got.push(payload));
    await t.socket.say(line("hi"), message({ type: "t" }), {
      message: { channel: { group: "a" }, origin: 6n, seq: 1 },
    });
    expect(got).toEqual([
      { type: "chat.line", json: '{"text":"hi"}' },
      { type: "t", binary: new Uint8Array() },
      { type: "", binary: new Uint8Array() },
    ]);
  });

  it("keeps channels apart, and ignores messages of channels it does not subscribe [FF-SB-016]", async () => {
    const { t, group } = await inGroup();
    const got: string[] = [];
    group.on(text(), (value) => got.push(`a ${value}`));
    t.client.player.on(text(), (value) => got.push(`player ${value}`));
    t.client.broadcast.on(text(), (value) => got.push(`broadcast ${value}`));
    await t.socket.say(
      message({ type: "", text: "1" }, { channel: { player: "alice" } }),
      message({ type: "", text: "2" }, { channel: { broadcast: true } }),
      message({ type: "", text: "3" }),
      message({ type: "", text: "4" }, { channel: { group: "unknown" } }),
      message({ type: "", text: "5" }, { channel: { player: "a" } }),
      message({ type: "", text: "6" }, { channel: {} }),
    );
    expect(got).toEqual(["player 1", "broadcast 2", "a 3"]);
  });

  it("drops what is not newer than the last of its origin, channel and volatility [FF-ID-014]", async () => {
    const { t, group } = await inGroup();
    await t.join("b");
    const got: string[] = [];
    group.on(text(), (value) => got.push(value));
    const say = (value: string, seq: number, more: Init<Message> = {}) =>
      message({ type: "", text: value }, { seq, ...more });
    await t.socket.say(
      say("1", 5),
      say("repeat", 5),
      say("older", 4),
      say("2, volatile ones apart", 3, { volatile: true }),
      say("volatile repeat", 3, { volatile: true }),
      say("3, another origin", 1, { origin: 6n }),
      say("", 1, { channel: { group: "b" } }),
      say("4, gaps are none", 9),
    );
    expect(got).toEqual(["1", "2, volatile ones apart", "3, another origin", "4, gaps are none"]);
  });

  it("remembers at least the 1,024 origins seen last, through reconnects, and not without end [FF-ID-015]", async () => {
    const { t, group } = await inGroup();
    const got: number[] = [];
    group.on(text(), (_value, meta) => got.push(Number(meta.origin)));
    const all = Array.from({ length: 5000 }, (_, i) =>
      message({ type: "", text: "" }, { origin: BigInt(i + 1), seq: 1 }),
    );
    for (let i = 0; i < all.length; i += 1000) await t.socket.say(...all.slice(i, i + 1000));
    expect(got).toHaveLength(5000);
    await t.socket.end();
    await t.clock.advance(250);
    await t.welcome();
    await t.socket.say(...all.slice(-1024));
    expect(got).toHaveLength(5000);
    await t.socket.say(...all.slice(0, 1000));
    expect(got.length, "the oldest are forgotten").toBe(6000);
  });

  it("reports a payload that is not what its type says, and goes on", async () => {
    const { t, group } = await inGroup();
    const got: string[] = [];
    group.on(Line, (value) => got.push(value.text));
    group.on(ChannelSchema, () => got.push("never"));
    await t.socket.say(
      message({ type: "chat.line", json: "{" }),
      message({ type: "chat.line", text: "no json" }),
      message({ type: "fanfare.v1.Channel", binary: new Uint8Array([255, 255]) }),
      line("fine"),
    );
    expect(got).toEqual(["fine"]);
    const errors = t.statuses.flatMap((event) =>
      event.type === "error" && event.source === "payload" ? [event.error.code] : [],
    );
    expect(errors).toEqual([ErrorCode.MALFORMED, ErrorCode.MALFORMED, ErrorCode.MALFORMED]);
  });

  it("lets no callback disturb another one, nor the client", async () => {
    const { t, group } = await inGroup();
    const got: string[] = [];
    group.on(text(), () => {
      throw new Error("bug");
    });
    group.on(text(), async () => {
      throw new Error("later bug");
    });
    group.on(text(), (value) => got.push(value));
    t.client.on("status", () => {
      throw new Error("bug in status");
    });
    await t.socket.say(message({ type: "", text: "1" }), message({ type: "", text: "2" }));
    expect(got).toEqual(["1", "2"]);
    const thrown = t.statuses.flatMap((event) => (event.type === "error" ? [event.error.message] : []));
    expect(thrown).toEqual(expect.arrayContaining(["bug", "later bug", "bug in status"]));
    expect(t.client.status).toBe("open");
  });

  it("stops calling back when told so, also for a function that was added twice", async () => {
    const { t, group } = await inGroup();
    const got: string[] = [];
    const add = (value: string) => got.push(value);
    const off = group.on(text(), add);
    group.on(text(), add);
    off();
    await t.socket.say(message({ type: "", text: "1" }));
    expect(got).toEqual(["1"]);
  });
});

describe("iterating", () => {
  it("gives messages in their order and ends with the channel, `break`, or the signal", async () => {
    const { t, group } = await inGroup();
    const stream = group.messages(Line);
    const waiting = stream.next();
    await t.socket.say(line("1"), line("2"));
    expect((await waiting).value?.value.text).toBe("1");
    for await (const { value } of stream) {
      expect(value.text).toBe("2");
      break;
    }
    await t.socket.say(line("3"));
    expect(await stream.next()).toEqual({ done: true, value: undefined });

    const controller = new AbortController();
    const other = group.messages(Line, { signal: controller.signal as never });
    await t.socket.say(line("4"));
    controller.abort();
    expect((await other.next()).value?.value.text, "what was queued still comes").toBe("4");
    expect((await other.next()).done).toBe(true);

    const last = group.messages(Line);
    const end = last.next();
    group.leave().catch(() => {});
    expect((await end).done).toBe(true);
    expect((await group.messages(Line).next()).done, "of a channel that was left").toBe(true);
  });

  it("drops volatile messages first, oldest first, and tells of others that it must drop", async () => {
    const { t, group } = await inGroup();
    const gaps: unknown[] = [];
    group.on("gap", (gap) => gaps.push([gap.reason, gap.missed]));
    const stream = group.messages(text(), { maxQueued: 3 });
    const say = (value: string, volatile: boolean) => t.socket.say(message({ type: "", text: value }, { volatile }));
    await say("v1", true);
    await say("1", false);
    await say("v2", true);
    await say("2", false); // v1 goes
    await say("3", false); // v2 goes
    expect(gaps).toEqual([]);
    await say("v3", true); // is dropped itself
    expect(gaps).toEqual([]);
    await say("4", false); // 1 goes, and that is told
    expect(gaps).toEqual([["overflow", 1]]);
    const got = [await stream.next(), await stream.next(), await stream.next()].map(({ value }) => value?.value);
    expect(got).toEqual(["2", "3", "4"]);
  });

  it("ends with an error at the bound, if that is wanted, after what was queued", async () => {
    const { t, group } = await inGroup();
    const stream = group.messages(text(), { maxQueued: 1, overflow: "throw" });
    await t.socket.say(message({ type: "", text: "1" }), message({ type: "", text: "2" }));
    expect((await stream.next()).value?.value).toBe("1");
    await expect(stream.next()).rejects.toMatchObject({ code: ErrorCode.LIMIT_EXCEEDED });
    expect((await stream.next()).done).toBe(true);
  });

  it("drains what has come since the last call", async () => {
    const { t, group } = await inGroup();
    expect(group.drain(Line, { maxQueued: 2 })).toEqual([]);
    await t.socket.say(line("1"), line("2"));
    expect(group.drain(Line).map(({ value }) => value.text)).toEqual(["1", "2"]);
    await t.socket.say(line("3"), line("4", { volatile: true }), line("5"));
    expect(group.drain(Line).map(({ value, meta }) => [value.text, meta.from])).toEqual([
      ["3", "bob"],
      ["5", "bob"],
    ]);
    expect(group.drain(Line)).toEqual([]);
    await t.socket.say(line("6"));
    expect(group.drain(json<Line>("chat.line")), "with a codec made anew").toHaveLength(1);
  });
});
