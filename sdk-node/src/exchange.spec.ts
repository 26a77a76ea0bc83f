import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Channel, ErrorCode, json, Outcome, text } from "./index.ts";
import { CuttingProxy } from "./testing/cutting-proxy.ts";
import { Game, nextStatus, until } from "./testing/game.ts";

/** The texts that a channel receives, and a promise of having so many. */
function collect(channel: Channel) {
  const got: string[] = [];
  const waiting = new Set<() => void>();
  channel.on(text(), (value) => {
    got.push(value);
    for (const check of waiting) check();
  });
  const on = (callback: () => void) => {
    waiting.add(callback);
    return () => waiting.delete(callback);
  };
  return { got, count: (wanted: number) => until(on, () => got.length >= wanted) };
}

describe("two clients and a server", () => {
  let game: Game;
  beforeAll(async () => {
    game = await Game.start({ presenceTickMs: 20 });
  });
  afterAll(() => game[Symbol.asyncDispose]());

  it("exchange messages by player, group and broadcast, and are told what became of them", async () => {
    const alice = await game.join("alice");
    const bob = await game.join("bob");
    const lobby = await alice.join("lobby");
    const received = collect(await bob.join("lobby"));
    const whispers = collect(bob.player);
    const news = collect(bob.broadcast);
    expect(await lobby.publish(text(), "hi", { report: true, excludeSelf: true })).toMatchObject({
      outcome: Outcome.DELIVERED,
      report: { reached: 1, excluded: 1, detached: 0 },
    });
    expect(await alice.to({ player: "bob" }).publish(text(), "psst")).toMatchObject({ outcome: Outcome.DELIVERED });
    expect(await alice.to({ player: "nobody" }).publish(text(), "?")).toMatchObject({ outcome: Outcome.OFFLINE });
    await alice.broadcast.publish(text(), "news");
    expect(lobby.send(text(), "volatile", { conflate: "a" })).toBe(true);
    await Promise.all([received.count(2), whispers.count(1), news.count(1)]);
    expect([received.got, whispers.got, news.got]).toEqual([["hi", "volatile"], ["psst"], ["news"]]);
  });

  it("see each other come and go", async () => {
    const alice = await game.join("alice");
    const bob = await game.join("bob");
    const { roster } = await alice.join("room", { presence: { ready: false } });
    const present = () => [...roster].map(({ playerId, data }) => `${playerId} ${JSON.stringify(data)}`).sort();
    const on = (callback: () => void) => roster.on("change", callback);
    const room = await bob.join("room", { presence: { ready: false } });
    await until(on, () => present().length === 2);
    await room.updatePresence({ ready: true });
    await until(on, () => present()[1] === 'bob {"ready":true}');
    expect((await alice.presence({ group: "room" }, { pageSize: 1 })).nextPageToken).toBeDefined();
    await bob.close();
    await until(on, () => present().length === 1);
    expect(present()).toEqual(['alice {"ready":false}']);
  });

  it("are refused what they may not do, and tokens that are none", async () => {
    const alice = await game.join("alice");
    await expect(alice.join("members:1")).rejects.toMatchObject({ code: ErrorCode.PERMISSION_DENIED });
    await expect(alice.to({ group: "unknown:1" }).publish(text(), "x")).rejects.toMatchObject({
      code: ErrorCode.UNKNOWN_NAMESPACE,
      retryable: false,
      outcome: Outcome.FAILED,
    });
    await expect(game.join("x", { getToken: () => "nonsense" })).rejects.toMatchObject({
      code: ErrorCode.UNAUTHENTICATED,
      closeCode: 4004,
    });
    await expect(game.join("x", { url: `${game.url}/elsewhere` })).rejects.toMatchObject({
      message: "the upgrade was refused with 404",
    });
    const member = await game.join("carol", { getToken: () => game.token("carol", { groups: ["members:1"] }) });
    expect(member.channels.map(({ target }) => target)).toContainEqual({ group: "members:1" });
  });

  it("get a new token onto the live connection before the old one expires", async () => {
    let asked = 0;
    const getToken = () => game.token("alice", { lifetimeMs: ++asked === 1 ? 2000 : 60_000 });
    const alice = await game.join("alice", { getToken });
    const { expiresAt } = await nextStatus(alice, "token-refreshed");
    expect(asked).toBe(2);
    expect(expiresAt.getTime()).toBeGreaterThan(Date.now() + 30_000);
    expect(alice.status).toBe("open");
  });
});

describe("a bad network", () => {
  it("cuts connections under a stream of publishes, and none is lost, doubled or out of order", async () => {
    await using game = await Game.start({ reconnectWindowMs: 10 });
    await using proxy = await CuttingProxy.start(game.url);
    const bob = await game.join("bob");
    const received = collect(await bob.join("stream"));
    const alice = await game.join("alice", { url: proxy.url });
    const stream = alice.to({ group: "stream" });
    const total = 150; // within the server's burst
    const published: Promise<unknown>[] = [];
    for (let i = 0; i < total; i++) {
      published.push(stream.publish(text(), `${i}`));
      if (i % 50 !== 25) continue;
      await published[i - 10];
      proxy.cut();
      await nextStatus(alice, "open");
    }
    await Promise.all(published);
    await received.count(total);
    expect(received.got).toEqual(Array.from({ length: total }, (_, i) => `${i}`));
  });

  it("goes silent: the client notices, comes back by another way, and knows that it may have missed something", async () => {
    await using game = await Game.start({
      heartbeatIntervalMs: 100,
      heartbeatIntervalMinMs: 100,
      heartbeatTimeoutMs: 100,
    });
    await using proxy = await CuttingProxy.start(game.url);
    const alice = await game.join("alice", { url: proxy.url });
    const lobby = await alice.join("lobby");
    const gap = new Promise<unknown>((resolve) => lobby.on("gap", resolve));
    proxy.stall();
    expect(await nextStatus(alice, "waiting")).toMatchObject({ error: { closeCode: 4101 } });
    proxy.heal();
    expect(await nextStatus(alice, "open")).toMatchObject({ resumed: true });
    await gap;
    expect(alice.latency?.roundTripMs).toBeGreaterThanOrEqual(0);
  });
});

describe("a server that goes away", () => {
  it("hands its clients from listener to listener while they talk, and nothing is lost, doubled or out of order", async () => {
    await using game = await Game.start();
    const allowedOrigins = [...game.server.urls];
    const bob = await game.join("bob", { allowedOrigins });
    const alice = await game.join("alice", { allowedOrigins });
    const group = await bob.join("stream");
    const received = collect(group);
    const gaps: unknown[] = [];
    group.on("gap", (gap) => gaps.push(gap));
    const stream = alice.to({ group: "stream" });
    const published: Promise<unknown>[] = [];
    for (let round = 0; round < 4; round++) {
      const from = round % 2;
      game.server.reopen(1 - from);
      const moved = [nextStatus(alice, "open"), nextStatus(bob, "open")];
      const { done } = game.server.drainListener(from, 1 - from, { windowMs: 30, deadlineMs: 10_000 });
      for (let i = 0; i < 40; i++) {
        published.push(stream.publish(text(), `${round * 40 + i}`));
        await published[Math.max(0, published.length - 5)];
      }
      await Promise.all(moved);
      await done;
    }
    await Promise.all(published);
    await received.count(160);
    expect(received.got).toEqual(Array.from({ length: 160 }, (_, i) => `${i}`));
    expect(gaps).toEqual([]);
  });

  it("lets them come back by themselves when it was only one listener", async () => {
    await using game = await Game.start({ reconnectWindowMs: 10 });
    const alice = await game.join("alice", { allowedOrigins: [...game.server.urls] });
    const moved = nextStatus(alice, "open");
    await game.server.drainListener(0, 1, { windowMs: 0, deadlineMs: 5000 }).done;
    await moved;
    game.server.reopen(0);
    const before = alice.sessionId;
    expect(await alice.broadcast.publish(json(), { still: "here" })).toMatchObject({ outcome: Outcome.DELIVERED });
    expect(alice.sessionId).toBe(before);
  });
});
