import { Access } from "@fanfare/proto/config/v1";
import { ErrorCode, Outcome, SubscriptionCloseReason } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { expectResult, type TestClient } from "../testing/test-client.ts";
import { newApp, startTestServer, tokenFor } from "../testing/test-server.ts";

const broadcast = { case: "broadcast" as const, value: true };
const player = (value: string) => ({ case: "player" as const, value });
const group = (value: string) => ({ kind: { case: "group" as const, value } });
const report = { hello: { features: ["report"] } };

async function settled(...clients: TestClient[]): Promise<void> {
  for (const client of clients) await client.settle();
}

async function errorOf(result: ReturnType<TestClient["request"]>): Promise<string | undefined> {
  return ErrorCode[expectResult(await result, "error").code];
}

for (const protocol of ["fanfare.v1.proto", "fanfare.v1.json"]) {
  describe(`delivery in ${protocol}`, () => {
    it("reaches every session of a player, and nobody else", async () => {
      await using server = await startTestServer();
      const [one, two] = [await server.join("alice", { protocol }), await server.join("alice")];
      const bob = await server.join("bob", { protocol, ...report });
      const result = await bob.publish(player("alice"), "hi", { wantReport: true });
      expect(result).toMatchObject({ outcome: Outcome.DELIVERED, repeated: false, report: { reached: 2 } });
      for (const client of [one, two]) {
        const message = await client.frame("message");
        expect(message).toMatchObject({ from: "bob", origin: bob.welcome!.origin, seq: 1n, volatile: false });
        expect(message.channel?.kind).toEqual(player("alice"));
        expect(Math.abs(Number(message.sentAtMs) - Date.now())).toBeLessThan(10_000);
        expect(message.expiresAtMs).toBe(0n);
      }
      await settled(bob, one, two);
      expect([one, two, bob].map(({ texts }) => texts.length)).toEqual([1, 1, 0]);
    });

    it("reaches a group's subscribers, the publisher too unless it is excluded", async () => {
      await using server = await startTestServer();
      const [alice, twin] = [await server.join("alice", { protocol, ...report }), await server.join("alice")];
      const [bob, outsider] = [await server.join("bob"), await server.join("carol")];
      for (const client of [alice, twin, bob]) await client.subscribe("lobby");
      const all = await alice.publish("lobby", "all", { wantReport: true });
      expect(all.report).toMatchObject({ reached: 3, detached: 0, excluded: 0 });
      const others = await alice.publish("lobby", "others", { wantReport: true, excludeSelf: true });
      expect(others.report).toMatchObject({ reached: 2, detached: 0, excluded: 1 });
      await settled(alice, twin, bob, outsider);
      expect([alice, twin, bob, outsider].map(({ texts }) => texts)).toEqual([
        ["all"],
        ["all", "others"],
        ["all", "others"],
        [],
      ]);
    });

    it("reaches everybody of the app by broadcast, with the capability alone", async () => {
      await using server = await startTestServer();
      const herald = await server.join("herald", { protocol, caps: ["publish:broadcast"], ...report });
      const bob = await server.join("bob");
      expect((await herald.publish(broadcast, "hear", { wantReport: true })).report?.reached).toBe(2);
      expect(await errorOf(bob.request({ case: "publish", value: bob.publishOf(broadcast, "no") }))).toBe(
        "PERMISSION_DENIED",
      );
      await settled(herald, bob);
      expect([herald.texts, bob.texts]).toEqual([["hear"], ["hear"]]);
    });

    it("carries every payload unchanged", async () => {
      await using server = await startTestServer();
      const alice = await server.join("alice", { protocol });
      const bob = await server.join("bob", { protocol: "fanfare.v1.json" });
      const carol = await server.join("carol");
      for (const client of [alice, bob, carol]) await client.subscribe("lobby");
      const payloads = [
        { type: "game.Move", data: { case: "binary" as const, value: Uint8Array.of(0, 255, 128) } },
        { type: "", data: { case: "text" as const, value: 'zwölf ☕ 😀 "\\ \u0000' } },
        { type: "j", data: { case: "json" as const, value: '{"a" : [1,2 ], "b":"\\u00e4"}' } },
        { type: "empty", data: { case: undefined } },
      ];
      for (const payload of payloads) await alice.publish("lobby", "", { payload });
      for (const client of [bob, carol]) {
        const messages = await client.received(payloads.length);
        expect(messages.map(({ payload }) => ({ type: payload?.type, data: payload?.data }))).toEqual(payloads);
      }
    });
  });
}

describe("delivery", () => {
  it("keeps apps apart", async () => {
    await using server = await startTestServer();
    const here = await server.join("alice", { app: "a", caps: ["publish:broadcast"], ...report });
    const there = await server.join("alice", { app: "b" });
    for (const client of [here, there]) await client.subscribe("lobby");
    expect((await here.publish("lobby", "x", { wantReport: true })).report?.reached).toBe(1);
    expect((await here.publish(broadcast, "x", { wantReport: true })).report?.reached).toBe(1);
    expect((await here.publish(player("alice"), "x", { wantReport: true })).report?.reached).toBe(1);
    await settled(there);
    expect(there.texts).toEqual([]);
    await there.close();
    const offline = await server.join("bob", { app: "b", ...report });
    expect((await offline.publish(player("alice"), "x")).outcome).toBe(Outcome.OFFLINE);
  });

  it("says OFFLINE of a player without a session, with an empty report", async () => {
    await using server = await startTestServer();
    const alice = await server.join("alice", report);
    expect(await alice.publish(player("nobody"), "x", { wantReport: true })).toMatchObject({
      outcome: Outcome.OFFLINE,
      report: { reached: 0, detached: 0, excluded: 0, nodesUnreached: 0 },
    });
  });

  it("says DELIVERED of a group without a subscriber", async () => {
    await using server = await startTestServer();
    const alice = await server.join("alice", report);
    expect(await alice.publish("empty", "x", { wantReport: true })).toMatchObject({
      outcome: Outcome.DELIVERED,
      report: { reached: 0 },
    });
  });

  it("reports only where it was asked for and the feature is in force", async () => {
    await using server = await startTestServer();
    const plain = await server.join("alice");
    expect((await plain.publish("lobby", "x", { wantReport: true })).report).toBeUndefined();
    const claiming = await server.join("alice", report);
    expect((await claiming.publish("lobby", "x")).report).toBeUndefined();
  });

  it("delivers a publish without an id and says nothing", async () => {
    await using server = await startTestServer();
    const alice = await server.join("alice");
    await alice.subscribe("lobby");
    alice.tell("lobby", "quiet");
    await alice.received(1);
    await alice.settle();
    expect(alice.kinds).toEqual(["welcome", "reply", "message", "pong"]);
  });

  it("says when a message stops being of use", async () => {
    await using server = await startTestServer();
    const alice = await server.join("alice");
    await alice.subscribe("lobby");
    await alice.publish("lobby", "x", { ttlMs: 60_000 });
    const { sentAtMs, expiresAtMs } = await alice.frame("message");
    expect(expiresAtMs - sentAtMs).toBe(60_000n);
  });

  it("takes a publish whose seq is not higher for a repeat, volatile and others apart", async () => {
    await using server = await startTestServer();
    const alice = await server.join("alice");
    await alice.subscribe("lobby");
    const publish = async (seq: bigint, options: object = {}) =>
      expectResult(
        await alice.request({ case: "publish", value: alice.publishOf("lobby", `${seq}`, { seq, ...options }) }),
        "publishResult",
      );
    expect(await publish(10n)).toMatchObject({ outcome: Outcome.DELIVERED, repeated: false });
    expect(await publish(10n)).toMatchObject({ outcome: Outcome.DELIVERED, repeated: true });
    expect(await publish(9n)).toMatchObject({ outcome: Outcome.UNKNOWN, repeated: true });
    expect(await publish(9n, { volatile: true })).toMatchObject({ outcome: Outcome.DELIVERED, repeated: false });
    expect(await publish(9n, { volatile: true })).toMatchObject({ repeated: true });
    await alice.settle();
    expect(alice.texts).toEqual(["10", "9"]);
  });

  it("keeps the order of each origin and channel among many publishers", async () => {
    await using server = await startTestServer({ limits: { publishesPerSecond: 100_000, publishBurst: 100_000 } });
    const readers = [await server.join("r1"), await server.join("r2", { protocol: "fanfare.v1.json" })];
    const writers = await Promise.all(Array.from({ length: 5 }, (_, i) => server.join(`w${i}`)));
    for (const reader of readers) for (const name of ["one", "two"]) await reader.subscribe(name);
    for (let round = 0; round < 80; round++) {
      for (const writer of writers) writer.tell(round % 2 === 0 ? "one" : "two", `${round}`);
    }
    for (const reader of readers) {
      const messages = await reader.received(400);
      const last = new Map<string, bigint>();
      for (const { origin, channel, seq } of messages) {
        const key = `${origin} ${channel?.kind.value}`;
        expect(seq > (last.get(key) ?? 0n)).toBe(true);
        last.set(key, seq);
      }
      expect(last.size).toBe(10);
    }
  });

  it("refuses what the namespace or its payload limit does not allow", async () => {
    await using server = await startTestServer();
    const alice = await server.join("alice", { groups: ["members-only:clan"] });
    const publish = (to: string, text = "x") =>
      errorOf(alice.request({ case: "publish", value: alice.publishOf(to, text) }));
    expect(await publish("nowhere:x")).toBe("UNKNOWN_NAMESPACE");
    expect(await publish("chat:unsubscribed")).toBe("PERMISSION_DENIED");
    expect(await publish("members-only:other")).toBe("PERMISSION_DENIED");
    expect(await publish("lobby", "x".repeat(65_537))).toBe("TOO_LARGE");
    expect(await publish("limited:x", "x".repeat(17))).toBe("TOO_LARGE");
    expect(await publish("limited:x", "ä".repeat(9))).toBe("TOO_LARGE");
    await alice.publish("members-only:clan", "x");
    await alice.publish("limited:x", "x".repeat(16));
    await alice.subscribe("chat:lobby");
    await alice.publish("chat:lobby", "x");
  });

  it("limits publishes of a session and of a namespace, and says when the next is admitted", async () => {
    await using server = await startTestServer({ limits: { publishesPerSecond: 1, publishBurst: 4 } });
    const alice = await server.join("alice");
    const limit = async (to: string) => {
      const result = await alice.request({ case: "publish", value: alice.publishOf(to, "x") });
      return result.case === "error" ? ErrorCode[result.value.code] + (result.value.retryAfterMs > 0) : "ok";
    };
    expect([await limit("limited:a"), await limit("limited:a"), await limit("limited:a")]).toEqual([
      "ok",
      "ok",
      "RATE_LIMITEDtrue",
    ]);
    expect([await limit("limited:b"), await limit("lobby"), await limit("lobby")]).toEqual([
      "ok",
      "ok",
      "RATE_LIMITEDtrue",
    ]);
  });

  it("goes by a namespace's limit as it is now, also where a session has published by another", async () => {
    await using server = await startTestServer();
    const alice = await server.join("alice");
    const publish = async () =>
      (await alice.request({ case: "publish", value: alice.publishOf("limited:a", "x") })).case ?? "";
    const rules = { subscribe: Access.ANYONE, publish: Access.ANYONE };
    const put = (publishesPerSecond: number) =>
      server.control().putNamespace({ namespace: { name: "limited", rules: { ...rules, publishesPerSecond } } });
    const outcomes = [await publish(), await publish()];
    await put(1000);
    for (let i = 0; i < 5; i++) outcomes.push(await publish());
    await put(1);
    for (let i = 0; i < 2; i++) outcomes.push(await publish());
    expect(outcomes).toEqual([...Array(8).fill("publishResult"), "error"]);
  });

  it("does not forget a namespace's limit when the channel is unsubscribed", async () => {
    await using server = await startTestServer();
    const alice = await server.join("alice");
    const outcomes: string[] = [];
    for (let i = 0; i < 4; i++) {
      await alice.subscribe("limited:a");
      const result = await alice.request({ case: "publish", value: alice.publishOf("limited:a", "x") });
      outcomes.push(result.case ?? "");
      await alice.request({ case: "unsubscribe", value: { channel: group("limited:a") } });
    }
    expect(outcomes).toEqual(["publishResult", "publishResult", "error", "error"]);
  });
});

describe("subscriptions", () => {
  it("answers subscribe again as the first time, and unsubscribe once", async () => {
    await using server = await startTestServer();
    const alice = await server.join("alice");
    for (let i = 0; i < 2; i++) expect(await alice.subscribe("lobby")).toMatchObject({ byServer: false });
    const unsubscribe = () => alice.request({ case: "unsubscribe", value: { channel: group("lobby") } });
    expectResult(await unsubscribe(), "unsubscribed");
    expect(await errorOf(unsubscribe())).toBe("NOT_SUBSCRIBED");
    await alice.publish("lobby", "x");
    await alice.settle();
    expect(alice.texts).toEqual([]);
  });

  it("refuses other players' channels, unknown namespaces and what is for members", async () => {
    await using server = await startTestServer();
    const alice = await server.join("alice", { caps: ["subscribe:player/*"] });
    const subscribe = (kind: object) =>
      errorOf(alice.request({ case: "subscribe", value: { channel: { kind } as never } }));
    expect(await subscribe(player("bob"))).toBe("PERMISSION_DENIED");
    expect(await subscribe({ case: "group", value: "nowhere:x" })).toBe("UNKNOWN_NAMESPACE");
    expect(await subscribe({ case: "group", value: "members-only:x" })).toBe("PERMISSION_DENIED");
    for (const kind of [player("alice"), broadcast]) {
      const value = { channel: { kind } };
      expectResult(await alice.request({ case: "unsubscribe", value }), "unsubscribed");
      expect(expectResult(await alice.request({ case: "subscribe", value }), "subscribed").byServer).toBe(true);
    }
  });

  it("bounds what a session opens, not counting what the server opened", async () => {
    await using server = await startTestServer({ limits: { maxSubscriptions: 2 } });
    const alice = await server.join("alice", { groups: ["chat:clan"] });
    for (const name of ["one", "two", "chat:clan"]) await alice.subscribe(name);
    expect(await errorOf(alice.request({ case: "subscribe", value: { channel: group("three") } }))).toBe(
      "LIMIT_EXCEEDED",
    );
    await alice.request({ case: "unsubscribe", value: { channel: group("one") } });
    await alice.subscribe("three");
    await alice.request({ case: "unsubscribe", value: { channel: group("chat:clan") } });
    await alice.subscribe("chat:clan"); // hers as a member again, and not one of the two
    expect(await errorOf(alice.request({ case: "subscribe", value: { channel: group("four") } }))).toBe(
      "LIMIT_EXCEEDED",
    );
  });

  it("follows memberships that the backend makes and ends", async () => {
    await using server = await startTestServer();
    const [one, two] = [await server.join("alice"), await server.join("alice")];
    await two.subscribe("chat:clan");
    server.hub().join("alice", "chat:clan");
    const opened = await one.frame("subscription");
    expect(opened.channel).toMatchObject(group("chat:clan"));
    expect(opened.event.case === "opened" && opened.event.value.byServer).toBe(true);
    await one.publish("chat:clan", "both");
    for (const client of [one, two]) await client.received(1);
    server.hub().leave("alice", "chat:clan");
    const closed = await one.frame("subscription");
    expect(closed.event.case === "closed" && closed.event.value.reason).toBe(SubscriptionCloseReason.LEFT);
    await two.publish("chat:clan", "still mine");
    await two.received(2);
    await settled(one, two);
    expect(one.texts).toEqual(["both"]);
    expect(two.kinds).not.toContain("subscription");
  });

  it("takes over groups and capabilities of a refreshed token, and tells what that changes", async () => {
    await using server = await startTestServer();
    const alice = await server.join("alice", { groups: ["chat:old"], caps: ["subscribe:members-only:*"] });
    await alice.subscribe("members-only:den");
    const token = tokenFor("alice", { groups: ["chat:new"], expiresInMs: 60_000 });
    const refreshed = expectResult(await alice.request({ case: "refresh", value: { token } }), "refreshed");
    expect(Number(refreshed.tokenExpiresAtMs)).toBeLessThan(Date.now() + 61_000);
    await alice.settle();
    const events = alice.frames.flatMap(({ kind }) => (kind.case === "subscription" ? [kind.value] : []));
    const told = events.map(({ channel, event }) => [
      channel?.kind.value,
      event.case,
      event.case === "closed" ? event.value.reason : 0,
    ]);
    expect(told).toEqual([
      ["chat:new", "opened", 0],
      ["chat:old", "closed", SubscriptionCloseReason.LEFT],
      ["members-only:den", "closed", SubscriptionCloseReason.PERMISSION],
    ]);
    expect(alice.kinds.indexOf("reply", 2)).toBeLessThan(alice.kinds.indexOf("subscription"));
  });

  it("refuses a refresh with another player's token, garbage or an expired one, and lives on", async () => {
    await using server = await startTestServer();
    const alice = await server.join("alice");
    const refresh = (token: string) => errorOf(alice.request({ case: "refresh", value: { token } }));
    expect(await refresh(tokenFor("bob"))).toBe("PERMISSION_DENIED");
    expect(await refresh(tokenFor("alice", { app: "b" }))).toBe("PERMISSION_DENIED");
    expect(await refresh("garbage")).toBe("UNAUTHENTICATED");
    expect(await refresh(tokenFor("alice", { expiresInMs: -60_000 }))).toBe("TOKEN_EXPIRED");
    await alice.settle();
  });

  it("closes with 4300 when the token expires, later after a refresh", async () => {
    await using server = await startTestServer();
    const [tired, fresh] = [
      await server.join("alice", { expiresInMs: 300 }),
      await server.join("alice", { expiresInMs: 300 }),
    ];
    await fresh.request({ case: "refresh", value: { token: tokenFor("alice") } });
    expect((await tired.ended()).code).toBe(4300);
    const last = tired.frames.at(-1)?.kind;
    expect(last?.case === "error" && last.value.code).toBe(ErrorCode.TOKEN_EXPIRED);
    await fresh.settle();
  });

  it("lives on after the expiry for as long as a clock difference is tolerated, and no longer", async () => {
    await using server = await startTestServer();
    const { keys } = newApp("late").playerAuth!;
    await server.operator().putApp({ app: newApp("late", { playerAuth: { keys, leewayS: 2 } }) });
    const expiredAtMs = Date.now() - 1_000;
    const alice = await server.join("alice", { app: "late", expiresInMs: -1_000 });
    expect((await alice.ended()).code).toBe(4300);
    expect(Date.now()).toBeGreaterThanOrEqual(expiredAtMs + 2_000);
  });

  it("ends with what a namespace that is removed had", async () => {
    await using server = await startTestServer();
    const alice = await server.join("alice");
    await alice.subscribe("game:1");
    server.hub().namespaces.delete("game");
    const { event } = await alice.frame("subscription");
    expect(event.case === "closed" && event.value.reason).toBe(SubscriptionCloseReason.NAMESPACE);
  });
});
