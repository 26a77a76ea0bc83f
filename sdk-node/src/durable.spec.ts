import { describe, expect, it } from "vitest";
import { type Channel, type Client, DeliveryClass, ErrorCode, GapReason, Outcome, text } from "./index.ts";
import { CuttingProxy } from "./testing/cutting-proxy.ts";
import { Game, nextStatus, until } from "./testing/game.ts";

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => `${from + i}`);

/** The texts that a channel receives, a promise of having so many, and the gaps it tells. */
function collect(channel: Channel) {
  const got: string[] = [];
  const gaps: unknown[] = [];
  const waiting = new Set<() => void>();
  channel.on("gap", (gap) => gaps.push(gap));
  channel.on(text(), (value) => {
    got.push(value);
    for (const check of waiting) check();
  });
  const on = (callback: () => void) => {
    waiting.add(callback);
    return () => waiting.delete(callback);
  };
  return { got, gaps, count: (wanted: number) => until(on, () => got.length >= wanted) };
}

const publishAll = (client: Client, group: string, from: number, to: number) =>
  Promise.all(numbers(from, to).map((number) => client.to({ group }).publish(text(), number)));

describe("a durable channel", () => {
  it("stores what is published, replays what was missed, and tells where it is", async () => {
    await using game = await Game.start();
    const alice = await game.join("alice");
    const sent = await publishAll(alice, "durable:a", 1, 20);
    expect(sent.map(({ outcome, position }) => [outcome, position?.offset])).toEqual(
      numbers(1, 20).map((number) => [Outcome.STORED, Number(number)]),
    );
    const bob = await game.join("bob");
    const group = await bob.join("durable:a", { from: { rewind: 5 } });
    const caughtUp = new Promise((resolve) => group.on("caught-up", resolve));
    const received = collect(group);
    expect(await caughtUp).toEqual(sent[19]?.position);
    expect(received.got).toEqual(numbers(16, 20));
    expect(group).toMatchObject({ deliveryClass: DeliveryClass.DURABLE, position: sent[19]?.position });
    await publishAll(alice, "durable:a", 21, 21);
    await received.count(6);
    const late = await game.join("late");
    const { position } = sent[2] ?? {};
    if (position === undefined) throw new Error("a stored message has a position");
    const later = collect(await late.join("durable:a", { from: { after: position } }));
    await later.count(18);
    expect(later.got).toEqual(numbers(4, 21));
    expect([...received.gaps, ...later.gaps]).toEqual([]);
  });

  it("is read on by the player's next session from the cursor, and counts what is unread", async () => {
    await using game = await Game.start();
    const alice = await game.join("alice");
    await publishAll(alice, "durable:a", 1, 10);
    const phone = await game.join("bob");
    const onPhone = await phone.join("durable:a", { from: { rewind: 10 } });
    expect(onPhone.unread).toBeUndefined();
    const read: string[] = [];
    for await (const { value, meta } of onPhone.messages(text())) {
      read.push(value);
      if (read.length < 6) continue;
      expect(await onPhone.commit(meta.position)).toEqual(meta.position);
      break;
    }
    await phone.close();
    const tablet = await game.join("bob");
    const onTablet = await tablet.join("durable:a", { from: "cursor" });
    expect(onTablet).toMatchObject({ unread: 4, recovered: true });
    const received = collect(onTablet);
    await received.count(4);
    expect([...read, ...received.got]).toEqual(numbers(1, 10));
    await onTablet.commit();
    expect(onTablet.unread).toBe(0);
    const head = collect(await tablet.join("durable:a", { from: "head" }));
    await publishAll(alice, "durable:a", 11, 11);
    await head.count(1);
    expect(head.got).toEqual(["11"]);
  });

  it("is read as history, both ways and page by page", async () => {
    await using game = await Game.start();
    const alice = await game.join("alice");
    await publishAll(alice, "durable:a", 1, 12);
    const log = alice.to({ group: "durable:a" });
    const page = await log.history({ limit: 5 });
    expect(page.messages.map((message) => message.read(text()))).toEqual(["12", "11", "10", "9", "8"]);
    expect(page.head).toEqual(page.messages[0]?.position);
    const older = await log.history({ limit: 5, from: page.next });
    expect(older.messages.map(({ payload }) => payload.text)).toEqual(["7", "6", "5", "4", "3"]);
    const all: string[] = [];
    for await (const message of log.stored({ direction: "forward", limit: 5 })) all.push(message.read(text()));
    expect(all).toEqual(numbers(1, 12));
    await expect(alice.to({ group: "lobby" }).history()).rejects.toMatchObject({
      code: ErrorCode.FAILED_PRECONDITION,
    });
  });

  it("tells a gap to who was away for longer than the log reaches back, and goes on behind it", async () => {
    await using game = await Game.start();
    const alice = await game.join("alice");
    const [first] = await publishAll(alice, "short:a", 1, 30);
    if (first?.position === undefined) throw new Error("a stored message has a position");
    const bob = await game.join("bob");
    const received = collect(await bob.join("short:a", { from: { after: first.position } }));
    await received.count(10);
    expect(received.got).toEqual(numbers(21, 30));
    expect(received.gaps).toMatchObject([
      { reason: GapReason.TRIMMED, missed: 19, from: { offset: 1 }, to: { offset: 20 } },
    ]);
  });
});

describe("a durable channel over a bad network", () => {
  it("brings every message once and in order, though connections are cut while publishing goes on", async () => {
    await using game = await Game.start({ reconnectWindowMs: 10 });
    await using proxy = await CuttingProxy.start(game.url);
    const alice = await game.join("alice", { url: proxy.url });
    const bob = await game.join("bob", { url: proxy.url });
    const received = collect(await bob.join("durable:a"));
    const published: Promise<unknown>[] = [];
    for (let round = 0; round < 5; round++) {
      for (let i = 1; i <= 30; i++) {
        published.push(alice.to({ group: "durable:a" }).publish(text(), `${round * 30 + i}`));
      }
      await published[round * 30 + 10];
      const back = Promise.all([nextStatus(alice, "open"), nextStatus(bob, "open")]);
      proxy.cut();
      await back;
    }
    await Promise.all(published);
    await received.count(150);
    expect(received.got).toEqual(numbers(1, 150));
    expect(received.gaps).toEqual([]);
  });

  it("goes on from its position in a new session, when the window of the old one has passed", async () => {
    await using game = await Game.start({ resumeWindowMs: 0 });
    await using proxy = await CuttingProxy.start(game.url);
    const alice = await game.join("alice");
    const bob = await game.join("bob", { url: proxy.url });
    const group = await bob.join("durable:a");
    const received = collect(group);
    await publishAll(alice, "durable:a", 1, 5);
    await received.count(5);
    const back = nextStatus(bob, "open");
    proxy.cut();
    await publishAll(alice, "durable:a", 6, 15);
    expect(await back).toMatchObject({ resumed: false });
    await received.count(15);
    expect(received.got).toEqual(numbers(1, 15));
    expect(received.gaps).toEqual([]);
    expect(group.recovered).toBe(true);
  });

  it("loses nothing for a reader that is slower than its queue is long", async () => {
    await using game = await Game.start();
    const alice = await game.join("alice");
    const total = 3000;
    const payload = (number: string) => `${number} ${"x".repeat(300)}`;
    const control = game.control();
    const channels = [{ kind: { case: "group" as const, value: "durable:a" } }];
    const bob = await game.join("bob");
    const group = await bob.join("durable:a");
    const gaps: unknown[] = [];
    group.on("gap", (gap) => gaps.push(gap));
    const stream = group.messages(text(), { maxQueued: 10 });
    for (let i = 0; i < total; i += 100) {
      const publications = numbers(i + 1, i + 100).map((number) => ({
        channels,
        payload: { type: "", data: { case: "text" as const, value: payload(number) } },
      }));
      await control.publish({ publications });
    }
    expect((await alice.to({ group: "durable:a" }).history({ limit: 1 })).head?.offset).toBe(total);
    expect(group.position?.offset).toBe(0);
    const got: number[] = [];
    for await (const { value } of stream) {
      got.push(Number.parseInt(value, 10));
      if (got.length === total) break;
    }
    expect(got).toEqual(numbers(1, total).map(Number));
    expect(gaps).toEqual([]);
  });
});

describe("a durable channel of a server that goes away", () => {
  it("is handed from listener to listener while messages come, and nothing is lost, doubled or out of order", async () => {
    await using game = await Game.start();
    const allowedOrigins = [...game.server.urls];
    const bob = await game.join("bob", { allowedOrigins });
    const alice = await game.join("alice", { allowedOrigins });
    const received = collect(await bob.join("durable:a"));
    const published: Promise<unknown>[] = [];
    for (let round = 0; round < 4; round++) {
      const from = round % 2;
      game.server.reopen(1 - from);
      const moved = [nextStatus(alice, "open"), nextStatus(bob, "open")];
      const { done } = game.server.drainListener(from, 1 - from, { windowMs: 30, deadlineMs: 10_000 });
      for (let i = 1; i <= 40; i++) {
        published.push(alice.to({ group: "durable:a" }).publish(text(), `${round * 40 + i}`));
        await published[Math.max(0, published.length - 5)];
      }
      await Promise.all(moved);
      await done;
    }
    await Promise.all(published);
    await received.count(160);
    expect(received.got).toEqual(numbers(1, 160));
    expect(received.gaps).toEqual([]);
  });
});
