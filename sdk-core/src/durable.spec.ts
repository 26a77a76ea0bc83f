import { describe, expect, it } from "vitest";
import { text } from "./payload.ts";
import { at, DurableChannel, entry, event, from, skip } from "./testing/durable-channel.ts";
import { settled } from "./testing/virtual-clock.ts";
import { ErrorCode, GapReason, GoawayReason, Outcome } from "./wire/schema.ts";

/** A client in a durable group, with what it was given and told. */
async function durable(...args: Parameters<typeof DurableChannel.join>) {
  const channel = await DurableChannel.join(...args);
  const got: string[] = [];
  channel.group.on(text(), (value) => got.push(value));
  channel.group.on("gap", ({ reason, from: last, to, missed }) =>
    got.push(`gap ${reason} ${last?.offset}-${to?.offset} (${missed})`),
  );
  channel.group.on("caught-up", ({ offset }) => got.push(`caught up ${offset}`));
  await settled();
  return { channel, got };
}

describe("what arrives in a durable channel [FF-DU-001]", () => {
  it("is taken if it follows, dropped if it was had, and moved over if it is skipped, also from before the position", async () => {
    const { channel, got } = await durable();
    await channel.say(entry(11), entry(11), skip(12, 14), skip(9, 14), skip(13, 16), entry(17));
    expect(got).toEqual(["11", "17"]);
    expect(channel.group.position).toEqual(at(17));
    expect(channel.t.socket.sent("subscribe")).toHaveLength(1);
  });

  it("is read anew at a hole, at a fork, and at a skip that does not join; nothing is taken before the answer [FF-DU-002]", async () => {
    const torn = [
      entry(12),
      entry(11, { log: { offset: 11, tag: 111, previousTag: 999 } }),
      skip(13, 14),
      { skip: { channel: { group: "a" }, fromOffset: 11, toOffset: 12, tag: 112, previousTag: 999 } },
    ];
    for (const wrong of torn) {
      const { channel, got } = await durable();
      await channel.say(wrong, entry(11), entry(13), skip(11, 20));
      expect(got).toEqual([]);
      expect(channel.t.socket.sent("subscribe")).toHaveLength(2);
      expect(channel.asked).toEqual(at(10));
      await channel.answer(from(10, { recovered: true }), entry(11), entry(12));
      expect(got).toEqual(["11", "12"]);
    }
  });

  it("is dropped after the position has moved, if a fork or a new epoch brings it a second time [FF-ID-014]", async () => {
    const { channel, got } = await durable();
    await channel.say(entry(11), entry(12));
    const gap = { reason: GapReason.FORKED, from: at(12), to: at(10), missed: 0 };
    const again = entry(11, { seq: 12, log: { offset: 11, tag: 555, previousTag: 110 } });
    const next = entry(12, { seq: 13, log: { offset: 12, tag: 556, previousTag: 555 } });
    await channel.say(event({ gap }), again, next);
    expect(got).toEqual(["11", "12", `gap ${GapReason.FORKED} 12-10 (0)`, "12"]);
  });

  it("is dropped too, if the fork is told when the client comes back [FF-ID-014]", async () => {
    const { channel, got } = await durable();
    await channel.say(entry(11), entry(12));
    await channel.reconnect();
    const gap = { reason: GapReason.FORKED, from: at(12), to: at(10), missed: 0 };
    await channel.welcome(from(10, { gap }), {}, entry(11, { seq: 12 }), entry(12, { seq: 13 }));
    expect(got).toEqual(["11", "12", `gap ${GapReason.FORKED} 12-10 (0)`, "12"]);
  });

  it("goes on from where a gap ends", async () => {
    const { channel, got } = await durable();
    const gap = { reason: GapReason.TRIMMED, from: at(10), missed: 10, to: at(20) };
    await channel.say(event({ gap }), entry(21));
    expect(got).toEqual([`gap ${GapReason.TRIMMED} 10-20 (10)`, "21"]);
  });

  it("goes on from its own position where a gap comes while the log is about to be read anew", async () => {
    const { channel, got } = await durable();
    const gap = { reason: GapReason.TRIMMED, from: at(15), missed: 5, to: at(20) };
    await channel.say(entry(12), event({ gap }), entry(21));
    await channel.answer(from(20, { gap: { ...gap, from: at(10), missed: 10 } }), entry(21));
    expect(got.at(-2)).toBe(`gap ${GapReason.TRIMMED} 10-20 (10)`);
    expect(got.at(-1)).toBe("21");
    expect(got).not.toContain("12");
  });
});

describe("coming back to a durable channel", () => {
  it("names the position of every durable channel, and goes on when it is recovered [FF-DU-004]", async () => {
    const { channel, got } = await durable();
    await channel.say(entry(11));
    await channel.reconnect();
    expect(channel.named).toMatchObject({ after: at(11) });
    await channel.welcome(
      from(11, { recovered: true, head: at(12) }),
      {},
      entry(12),
      event({ caughtUp: { position: at(12) } }),
    );
    expect(got).toEqual(["11", "12", "caught up 12"]);
    expect(channel.group.recovered).toBe(true);
  });

  it("names the position of a channel that the server opened by itself", async () => {
    const { channel } = await durable();
    const inbox = { player: "alice" };
    await channel.say({ subscription: { channel: inbox, opened: from(4, { byServer: true }) } });
    await channel.reconnect();
    const { subscriptions } = channel.t.socket.last("hello").frame;
    expect(subscriptions).toContainEqual(expect.objectContaining({ channel: inbox, after: at(4) }));
  });

  it("resumes before any message was received, after the position at which it began", async () => {
    const { channel, got } = await durable(from(0));
    await channel.reconnect();
    expect(channel.named).toMatchObject({ after: at(0) });
    await channel.welcome(from(0, { recovered: true }), {}, entry(1));
    expect(got).toEqual(["1"]);
  });

  it("tells the gap when the log was trimmed meanwhile, and goes on behind it", async () => {
    const { channel, got } = await durable();
    await channel.reconnect();
    const gap = { reason: GapReason.TRIMMED, from: at(10), to: at(40), missed: 30 };
    await channel.welcome(from(40, { gap }), {}, entry(41));
    expect(got).toEqual([`gap ${GapReason.TRIMMED} 10-40 (30)`, "41"]);
    expect(channel.group.recovered).toBe(false);
  });

  it("takes nothing twice when a second resume replays what the first has replayed", async () => {
    const { channel, got } = await durable();
    await channel.reconnect();
    await channel.welcome(from(10, { recovered: true }), {}, entry(11), entry(12));
    await channel.reconnect();
    expect(channel.named).toMatchObject({ after: at(12) });
    // As a server does whose first replay was still running. Other origins, so that the position alone tells.
    const again = [entry(11, { origin: 6n }), entry(12, { origin: 6n })];
    await channel.welcome(from(12, { recovered: true }), {}, ...again, entry(13));
    expect(got).toEqual(["11", "12", "13"]);
  });

  it("loses nothing when the resume races the first live messages: what is ahead waits for what is between", async () => {
    const { channel, got } = await durable();
    await channel.reconnect();
    await channel.welcome(from(10, { recovered: true }), {}, entry(13), entry(11));
    expect(got).toEqual([]);
    await channel.answer(from(10, { recovered: true }), entry(11), entry(12), entry(13));
    expect(got).toEqual(["11", "12", "13"]);
  });

  it("keeps its positions when the session is a new one", async () => {
    const { channel, got } = await durable();
    await channel.say(entry(11));
    await channel.reconnect();
    await channel.welcome(from(11, { recovered: true }), { resumed: false }, entry(12));
    expect(got).toEqual(["11", "12"]);
  });

  it("reads on from its position when the server began elsewhere without a word", async () => {
    const { channel, got } = await durable();
    await channel.reconnect();
    await channel.welcome(from(50), {}, entry(51), event({ caughtUp: { position: at(51) } }));
    expect(got).toEqual([]);
    expect(channel.t.socket.sent("subscribe")).toHaveLength(1);
    expect(channel.asked).toEqual(at(10));
  });

  it("asks anew, after its position, when the server could not go on", async () => {
    const { channel, got } = await durable();
    await channel.say(entry(11), event({ closed: { reason: 4 } }));
    expect(channel.asked).toEqual(at(11));
    await channel.answer(from(11, { recovered: true }), entry(12));
    expect(got).toEqual(["11", "12"]);
  });
});

describe("a log that cannot be read for a while", () => {
  const unavailable = { code: ErrorCode.UNAVAILABLE, message: "not now" };

  it("does not end the channel: it is asked for again until it can", async () => {
    const { channel, got } = await durable();
    const { t } = channel;
    await channel.reconnect();
    const subscriptions = [{ channel: { group: "a" }, error: unavailable }];
    await channel.say(t.welcomeFrame({ subscriptions }));
    for (let asked = 1; asked <= 3; asked++) {
      expect(t.socket.sent("subscribe")).toHaveLength(asked);
      expect(channel.asked).toEqual(at(10));
      await channel.say({ id: t.socket.last("subscribe").id, reply: { error: unavailable } });
      expect(t.statuses.at(-1)).toMatchObject({ type: "error", error: { code: ErrorCode.UNAVAILABLE } });
      await t.clock.advance(1000);
    }
    await channel.answer(from(10, { recovered: true }), entry(11));
    expect(got).toEqual(["11"]);
  });

  it("ends the channel when the server refuses it for good", async () => {
    const { channel } = await durable();
    const closed: unknown[] = [];
    channel.group.on("closed", ({ error }) => closed.push(error?.code));
    await channel.say(entry(12));
    const error = { code: ErrorCode.PERMISSION_DENIED, message: "no" };
    await channel.say({ id: channel.t.socket.last("subscribe").id, reply: { error } });
    expect(closed).toEqual([ErrorCode.PERMISSION_DENIED]);
    expect(channel.group.subscribed).toBe(false);
  });

  it("is waited for longer than a request waits", async () => {
    const { channel, got } = await durable();
    await channel.say(entry(12));
    await channel.t.socket.end();
    await channel.t.clock.advance(60_000);
    await channel.t.socket.accept();
    await channel.welcome(from(10, { recovered: true }), {}, entry(11));
    expect(got).toEqual(["11"]);
  });
});

describe("a hand-over with a durable channel", () => {
  it("drops what the old connection has brought by its position, and loses and doubles nothing", async () => {
    const { channel, got } = await durable();
    const { t } = channel;
    const old = t.socket;
    await old.say(entry(11), { goaway: { reason: GoawayReason.DRAINING, reconnectAfterMs: 0, deadlineMs: 30_000 } });
    await t.clock.advance(0);
    await t.socket.accept();
    expect(channel.named).toMatchObject({ after: at(11) });
    await old.say(entry(12));
    const caughtUp = event({ caughtUp: { position: at(13) } });
    // Another origin, so that nothing but the position tells that they were had.
    const again = [entry(12, { origin: 6n }), entry(13, { origin: 6n })];
    await channel.welcome(from(11, { recovered: true }), {}, ...again, caughtUp, entry(14));
    await old.say(entry(13));
    expect(got).toEqual(["11", "12", "13"]);
    await old.say({ handedOver: {} });
    expect(got).toEqual(["11", "12", "13", "caught up 13", "14"]);
    await channel.say(entry(15));
    expect(got.at(-1)).toBe("15");
    expect(t.socket.sent("subscribe")).toEqual([]);
  });
});

describe("beginning a durable channel", () => {
  it("says where", async () => {
    const cases = [
      ["cursor", { cursor: true }],
      ["head", { head: true }],
      [{ rewind: 5 }, { rewind: 5 }],
      [{ after: at(7) }, { after: at(7) }],
    ] as const;
    for (const [wanted, said] of cases) {
      const { channel } = await durable(from(10), { from: wanted });
      expect(channel.t.socket.last("subscribe").frame).toMatchObject(said);
    }
    const { channel } = await durable();
    expect(Object.keys(channel.t.socket.last("subscribe").frame)).toEqual(["presence", "channel"]);
    await expect(channel.t.client.join("b", { from: { rewind: 10_001 } })).rejects.toMatchObject({
      field: "subscribe.rewind",
    });
  });

  it("anew with `rewind`, or after an earlier position, brings again what was had [FF-DU-005]", async () => {
    for (const wanted of [{ rewind: 2 }, { after: at(10) }]) {
      const { channel, got } = await durable();
      await channel.say(entry(11), entry(12));
      const joining = channel.t.client.join("a", { from: wanted });
      await settled();
      // What comes before the answer is of the subscription that ends.
      await channel.say(entry(13));
      await channel.answer(from(10), entry(11), entry(12), entry(13));
      await joining;
      expect(got).toEqual(["11", "12", "13", "11", "12", "13"]);
    }
  });

  it("anew without saying where goes on from where it is", async () => {
    const { channel, got } = await durable();
    await channel.say(entry(11));
    const joining = channel.t.client.join("a", { roster: true });
    await settled();
    expect(channel.asked).toEqual(at(11));
    await channel.say(entry(12));
    await channel.answer(from(11, { recovered: true }), entry(12), entry(13));
    await joining;
    expect(got).toEqual(["11", "12", "13"]);
  });

  it("tells the head and what is unread", async () => {
    const { channel } = await durable(from(10, { cursor: at(4), head: at(12) }));
    expect(channel.group).toMatchObject({ head: at(12), cursor: at(4), unread: 8 });
    await channel.say(entry(11), entry(12), entry(13));
    expect(channel.group.unread).toBe(9);
    const { channel: other } = await durable();
    expect(other.group.unread).toBeUndefined();
  });

  it("answers a publish with STORED and its position", async () => {
    const { channel } = await durable();
    const sent = channel.group.publish(text(), "x");
    await settled();
    const { id } = channel.t.socket.last("publish");
    await channel.say({ id, reply: { publishResult: { outcome: Outcome.STORED, position: at(11) } } });
    expect(await sent).toMatchObject({ outcome: Outcome.STORED, position: at(11) });
  });
});
