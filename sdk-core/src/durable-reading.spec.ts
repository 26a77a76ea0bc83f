import { describe, expect, it } from "vitest";
import { bytes, text } from "./payload.ts";
import { at, DurableChannel, entry, event, from } from "./testing/durable-channel.ts";
import { settled } from "./testing/virtual-clock.ts";
import { ErrorCode, GapReason } from "./wire/schema.ts";

const entries = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => entry(first + i));
const numbers = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => `${first + i}`);

describe("a durable channel that nobody listens to yet", () => {
  it("keeps what comes with the answer to join, and gives it to everybody who listens by the end of the turn", async () => {
    const gap = { reason: GapReason.TRIMMED, from: at(2), to: at(10), missed: 8 };
    const caughtUp = event({ caughtUp: { position: at(12) } });
    const channel = await DurableChannel.join(from(10, { gap }), {}, entry(11), entry(12), caughtUp);
    expect(channel.group.position).toEqual(at(10));
    const got: string[] = [];
    channel.group.on(text(), (value) => got.push(value));
    channel.group.on(bytes(), () => got.push("bytes"));
    channel.group.on("gap", () => got.push("gap"));
    channel.group.on("caught-up", () => got.push("caught up"));
    expect(got).toEqual([]);
    await settled();
    expect(got).toEqual(["gap", "11", "12", "caught up"]);
    expect(channel.group.position).toEqual(at(12));
  });

  it("keeps no more than its bound, and reads the rest from the log when somebody listens [FF-DU-003]", async () => {
    const channel = await DurableChannel.join();
    await channel.say(...entries(11, 1100));
    expect(channel.group.position).toEqual(at(10));
    expect(channel.group.head).toEqual(at(1100));
    expect(channel.t.socket.sent("subscribe")).toHaveLength(1);
    const got: string[] = [];
    channel.group.on(text(), (value) => got.push(value));
    await settled();
    expect(channel.asked).toEqual(at(1034));
    await channel.answer(from(1034, { recovered: true }), ...entries(1035, 1101));
    expect(got).toEqual(numbers(11, 1101));
  });
});

describe("what waits in a durable channel", () => {
  it("is bounded in its length too", async () => {
    const channel = await DurableChannel.join();
    const large = (offset: number) => entry(offset, { payload: { type: "", text: "x".repeat(300 * 1024) } });
    await channel.say(...[11, 12, 13, 14, 15].map(large));
    const got: number[] = [];
    channel.group.on(text(), (_, { position }) => got.push(position?.offset ?? 0));
    await settled();
    expect(got).toEqual([11, 12, 13, 14]);
    expect(channel.asked).toEqual(at(14));
  });
});

describe("a slow reader of a durable channel", () => {
  it("loses nothing: the channel waits, and goes on from the log when there is room [FF-DU-003]", async () => {
    const channel = await DurableChannel.join();
    const gaps: unknown[] = [];
    channel.group.on("gap", (gap) => gaps.push(gap));
    const stream = channel.group.messages(text(), { maxQueued: 10 });
    await settled();
    await channel.say(...entries(11, 2000));
    const got: string[] = [];
    let answered = 1;
    while (got.length < 1991) {
      got.push((await stream.next()).value?.value ?? "");
      if (channel.t.socket.sent("subscribe").length === answered) continue;
      answered++;
      const after = channel.asked?.offset ?? 0;
      await channel.answer(from(after, { recovered: true }), ...entries(after + 1, 2001));
    }
    expect(got).toEqual(numbers(11, 2001));
    expect(answered).toBe(3);
    expect(gaps).toEqual([]);
  });

  it("loses what it said it would rather lose", async () => {
    const channel = await DurableChannel.join();
    const gaps: unknown[] = [];
    channel.group.on("gap", ({ reason }) => gaps.push(reason));
    const stream = channel.group.messages(text(), { maxQueued: 2, overflow: "drop" });
    await settled();
    await channel.say(...entries(11, 14));
    expect((await stream.next()).value?.value).toBe("13");
    expect(gaps).toEqual(["overflow", "overflow"]);
  });

  it("comes back after what it has received, and not after what it has read", async () => {
    const channel = await DurableChannel.join();
    channel.group.messages(text());
    await settled();
    await channel.say(...entries(11, 13));
    await channel.reconnect();
    expect(channel.named).toMatchObject({ after: at(13) });
  });
});

describe("the position of a durable channel [FF-DU-003]", () => {
  it("moves when a callback was called, a loop has taken the message, or drain has returned it", async () => {
    const channel = await DurableChannel.join();
    const { group } = channel;
    const stream = group.messages(text());
    group.drain(text());
    await settled();
    await channel.say(...entries(11, 13));
    expect(group.position).toEqual(at(10));
    const { value } = await stream.next();
    expect(value?.meta.position).toEqual(at(11));
    expect(group.position).toEqual(at(10));
    expect(group.drain(text()).map((one) => one.value)).toEqual(["11", "12", "13"]);
    expect(group.position).toEqual(at(11));
    await stream.next();
    await stream.next();
    expect(group.position).toEqual(at(13));
  });

  it("is behind what is queued from before the log was cleared", async () => {
    const channel = await DurableChannel.join();
    const stream = channel.group.messages(text());
    await settled();
    const gap = { reason: GapReason.EPOCH, from: at(11), to: at(0, 4), missed: 0 };
    await channel.say(entry(11), event({ gap }), entry(1, { seq: 20, log: { offset: 1, tag: 101, previousTag: 100 } }));
    expect(channel.group.position).toEqual(at(10));
    await stream.next();
    expect(channel.group.position).toEqual(at(0, 4));
    await stream.next();
    expect(channel.group.position).toEqual(at(1, 4));
  });

  it("is not there in a live channel", async () => {
    const { t } = await DurableChannel.join();
    expect(t.client.broadcast.position).toBeUndefined();
    await expect(t.client.broadcast.commit()).rejects.toMatchObject({ code: ErrorCode.FAILED_PRECONDITION });
  });
});

describe("committing a cursor [FF-HI-009]", () => {
  it("sends what was handed over, once a second at the most, and the newest", async () => {
    const channel = await DurableChannel.join();
    const { group, t } = channel;
    group.on(text(), () => {});
    await settled();
    const commits = () => t.socket.sent("cursorCommit").map(({ frame }) => frame.position?.offset);
    const stored: number[] = [];
    const commit = (position = group.position) => group.commit(position).then(({ offset }) => stored.push(offset));
    await channel.say(entry(11));
    const answered = [commit()];
    await channel.say(entry(12));
    answered.push(commit());
    await channel.say(entry(13));
    answered.push(commit(), commit(at(12)));
    await settled();
    expect(commits()).toEqual([11]);
    const answer = async (offset: number) => {
      const { id } = t.socket.last("cursorCommit");
      await channel.say({ id, reply: { cursorCommitted: { cursor: at(offset) } } });
    };
    await answer(11);
    expect(stored).toEqual([11]);
    await t.clock.advance(999);
    expect(commits()).toEqual([11]);
    await t.clock.advance(1);
    expect(commits()).toEqual([11, 13]);
    await answer(15);
    await Promise.all(answered);
    expect(stored).toEqual([11, 15, 15, 15]);
    expect(group).toMatchObject({ cursor: at(15), unread: 0 });
    await t.clock.advance(5000);
    expect(commits()).toEqual([11, 13]);
  });

  it("rejects with what the server says, and sends what waits when the channel is left", async () => {
    const channel = await DurableChannel.join();
    const { group, t } = channel;
    const wrong = group.commit(at(9));
    await settled();
    const { id } = t.socket.last("cursorCommit");
    await channel.say({ id, reply: { error: { code: ErrorCode.POSITION_INVALID, message: "no" } } });
    await expect(wrong).rejects.toMatchObject({ code: ErrorCode.POSITION_INVALID });
    const last = group.commit();
    const left = group.leave();
    await settled();
    expect(t.socket.last("cursorCommit").frame.position).toEqual(at(10));
    await channel.say(
      { id: t.socket.last("cursorCommit").id, reply: { cursorCommitted: { cursor: at(10) } } },
      { id: t.socket.last("unsubscribe").id, reply: { unsubscribed: {} } },
    );
    await left;
    expect(await last).toEqual(at(10));
    const timers = t.clock.timers;
    await t.clock.advance(2000);
    expect(t.clock.timers).toBe(timers);
  });
});

describe("history", () => {
  it("is read page by page, without subscribing", async () => {
    const { t, say } = await DurableChannel.join().then((channel) => ({
      t: channel.t,
      say: channel.say.bind(channel),
    }));
    const read: string[] = [];
    const reading = (async () => {
      const options = { direction: "forward", limit: 2 } as const;
      for await (const message of t.client.to({ group: "a" }).stored(options)) {
        read.push(`${message.position?.epoch}/${message.position?.offset} ${message.read(text())}`);
      }
    })();
    await settled();
    const query = t.socket.last("history");
    expect(query.frame).toMatchObject({ channel: { group: "a" }, direction: 2, limit: 2 });
    expect(query.frame.from).toBeUndefined();
    const page = (messages: number[], more = {}) => ({
      historyPage: {
        messages: messages.map((offset) => entry(offset).message ?? {}),
        head: at(3),
        tail: at(0),
        ...more,
      },
    });
    await say({ id: query.id, reply: page([1, 2], { next: at(2) }) });
    expect(t.socket.last("history").frame.from).toEqual(at(2));
    await say({ id: t.socket.last("history").id, reply: page([3]) });
    await reading;
    expect(read).toEqual(["3/1 1", "3/2 2", "3/3 3"]);
  });

  it("needs a server that keeps it", async () => {
    const { t } = await DurableChannel.join();
    const asked = t.client.to({ group: "a" }).history({ limit: 1001 });
    await expect(asked).rejects.toMatchObject({ field: "history.limit" });
  });
});
