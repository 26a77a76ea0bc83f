import { ErrorCode, LeaveReason, type PresenceEvent } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { systemClock } from "../clock.ts";
import { MemoryCursorStore } from "../log/memory/memory-cursor-store.ts";
import { MemoryMessageLog } from "../log/memory/memory-message-log.ts";
import { expectResult, type TestClient, until } from "../testing/test-client.ts";
import { startTestServer, type TestServer, tokenFor } from "../testing/test-server.ts";
import { groupKey } from "../wire/channel-key.ts";

const features = ["presence", "resume"];
const group = (value: string) => ({ kind: { case: "group" as const, value } });
const text = (value: string) => ({ data: { case: "text" as const, value } });

function join(server: TestServer, player: string, options: object = {}): Promise<TestClient> {
  return server.join(player, { hello: { features }, ...options });
}

async function event<C extends PresenceEvent["event"]["case"]>(client: TestClient, expected: C) {
  const { event } = await client.frame("presenceEvent");
  if (event.case !== expected) throw new Error(`expected ${expected}, there came ${event.case}`);
  return event.value as Extract<PresenceEvent["event"], { case: C }>["value"];
}

async function query(client: TestClient, name: string, options: object = {}) {
  return client.request({ case: "presence", value: { channel: group(name), ...options } });
}

for (const protocol of ["fanfare.v1.proto", "fanfare.v1.json"]) {
  describe(`presence in ${protocol}`, () => {
    it("begins with a snapshot and goes on with numbered diffs: who came, changed and left, and why", async () => {
      await using server = await startTestServer();
      const alice = await join(server, "alice", { protocol });
      expect(await alice.subscribe("lobby", { presence: true, presenceData: text("A") })).toMatchObject({
        presence: true,
      });
      const snapshot = await event(alice, "snapshot");
      expect(snapshot).toMatchObject({ first: true, last: true });
      expect(snapshot.members).toMatchObject([
        { origin: alice.welcome!.origin, playerId: "alice", data: text("A"), generation: 1 },
      ]);
      const bob = await join(server, "bob");
      await bob.subscribe("lobby");
      const came = await event(alice, "diff");
      expect(came.number).toBe(snapshot.number + 1n);
      expect(came.section).toBe(snapshot.section);
      expect(came.joined).toMatchObject([{ playerId: "bob", origin: bob.welcome!.origin }]);
      const update = { case: "presenceUpdate" as const, value: { channel: group("lobby"), data: text("B") } };
      expectResult(await bob.request(update), "presenceUpdated");
      expect((await event(alice, "diff")).updated).toMatchObject([{ playerId: "bob", data: text("B") }]);
      bob.send({ kind: { case: "disconnect", value: {} } });
      const went = await event(alice, "diff");
      expect(went.number).toBe(came.number + 2n);
      expect(went.left).toMatchObject([
        { playerId: "bob", origin: bob.welcome!.origin, generation: 1, reason: LeaveReason.LEFT },
      ]);
    });
  });
}

describe("presence", () => {
  it("sends snapshots for what hello and a second subscribe name", async () => {
    await using server = await startTestServer();
    const alice = await server.join("alice", {
      hello: { features, subscriptions: [{ channel: group("lobby"), presence: true }] },
    });
    await event(alice, "snapshot");
    await alice.subscribe("lobby", { presence: true });
    await event(alice, "snapshot");
    expect(alice.kinds[0]).toBe("welcome");
  });

  it("sends the snapshot after the answer, also when that takes its time (FF-PR-002)", async () => {
    await using messageLog = new MemoryMessageLog({ clock: systemClock });
    let gate = Promise.resolve();
    const ends: MemoryMessageLog["ends"] = async (...of) =>
      gate.then(() => MemoryMessageLog.prototype.ends.apply(messageLog, of));
    const read: MemoryMessageLog["read"] = async (...of) =>
      gate.then(() => MemoryMessageLog.prototype.read.apply(messageLog, of));
    Object.assign(messageLog, { ends, read });
    await using server = await startTestServer({
      stores: { messageLog, cursorStore: new MemoryCursorStore(systemClock) },
    });
    const hello = { features: [...features, "durable"] };
    const alice = await server.join("alice", { hello });
    await alice.subscribe("durable:log", { presence: true });
    await event(alice, "snapshot");
    const bob = await server.join("bob", { hello });
    const opening = Promise.withResolvers<void>();
    gate = opening.promise;
    const subscribed = bob.subscribe("durable:log", { presence: true });
    expect((await event(alice, "diff")).joined).toMatchObject([{ playerId: "bob" }]);
    expect(bob.kinds).toEqual(["welcome"]);
    opening.resolve();
    expect(await subscribed).toMatchObject({ presence: true });
    expect((await event(bob, "snapshot")).members).toHaveLength(2);
    expect(bob.kinds).toEqual(["welcome", "reply", "presenceEvent"]);
  });

  it("keeps a session present through a lost connection and its resume, without a flicker", async () => {
    await using server = await startTestServer();
    const watcher = await join(server, "watcher");
    await watcher.subscribe("lobby", { presence: true });
    await event(watcher, "snapshot");
    const alice = await join(server, "alice");
    await alice.subscribe("lobby");
    await event(watcher, "diff");
    const { sessionId, resumeSecret } = alice.welcome!;
    alice.cut();
    await until(() => server.counters.sessionsDetached === 1, "the session to be detached");
    expect(expectResult(await query(watcher, "lobby"), "presencePage")).toMatchObject({ sessions: 2, players: 2 });
    const back = await server.dial();
    const resume = { sessionId, secret: resumeSecret };
    const subscriptions = [{ channel: group("lobby") }];
    await back.hello({ token: tokenFor("alice"), features, attempt: 2, resume, subscriptions });
    const other = await join(server, "other");
    await other.subscribe("lobby");
    expect((await event(watcher, "diff")).joined).toMatchObject([{ playerId: "other" }]);
    expect(watcher.kinds.filter((kind) => kind === "presenceEvent").length).toBe(3);
  });

  it("tells a leave by TIMEOUT after the window, and KICKED where the backend ends it", async () => {
    await using server = await startTestServer({ timing: { resumeWindowMs: 30 } });
    const watcher = await join(server, "watcher");
    await watcher.subscribe("lobby", { presence: true });
    await event(watcher, "snapshot");
    for (const [expected, end] of [
      [LeaveReason.TIMEOUT, (client: TestClient) => client.cut()],
      [
        LeaveReason.KICKED,
        (client: TestClient) => {
          const session = server.hub().sessions.get(client.welcome!.sessionId)!;
          server.hub().end(session, { reason: "kicked", code: 4007, message: "", tombstone: 4007 });
        },
      ],
    ] as const) {
      const alice = await join(server, "alice");
      await alice.subscribe("lobby");
      await event(watcher, "diff");
      end(alice);
      expect((await event(watcher, "diff")).left).toMatchObject([{ playerId: "alice", reason: expected }]);
    }
  });

  it("gives a new snapshot to a watcher that resumes, and none that it does not ask for any more", async () => {
    await using server = await startTestServer();
    const alice = await server.join("alice", {
      groups: ["chat:clan"],
      hello: { features, subscriptions: [{ channel: group("chat:clan"), presence: true }] },
    });
    await event(alice, "snapshot");
    const { sessionId, resumeSecret } = alice.welcome!;
    const resume = { sessionId, secret: resumeSecret };
    const hello = { token: tokenFor("alice", { groups: ["chat:clan"] }), features, resume };
    const again = await server.dial();
    await again.hello({ ...hello, attempt: 2, subscriptions: [{ channel: group("chat:clan"), presence: true }] });
    await event(again, "snapshot");
    const bob = await join(server, "bob");
    await bob.subscribe("chat:clan");
    expect((await event(again, "diff")).joined).toMatchObject([{ playerId: "bob" }]);
    const third = await server.dial();
    const welcome = await third.hello({ ...hello, attempt: 3 });
    const clan = welcome.subscriptions.find(({ channel }) => channel?.kind.value === "chat:clan")?.result;
    expect(clan?.case === "subscribed" && clan.value.presence).toBe(false);
    const watcher = await join(server, "watcher");
    await watcher.subscribe("chat:clan", { presence: true });
    await event(watcher, "snapshot");
    await third.settle();
    expect(third.kinds).not.toContain("presenceEvent");
  });

  it("tells counts where the namespace tells only those, and above its bound", async () => {
    await using server = await startTestServer();
    const alice = await join(server, "alice");
    await alice.subscribe("game:1", { presence: true });
    expect(await event(alice, "counts")).toMatchObject({ sessions: 1, players: 1 });
    expect(expectResult(await query(alice, "game:1"), "presencePage")).toMatchObject({ members: [], sessions: 1 });
    await alice.subscribe("limited:x", { presence: true });
    await event(alice, "snapshot");
    for (const name of ["bob", "carol"]) await (await join(server, name)).subscribe("limited:x");
    await until(() => alice.frames.some((f) => f.kind.case === "presenceEvent" && countsOf(f.kind.value) === 3), "3");
    expect(expectResult(await query(alice, "limited:x"), "presencePage")).toMatchObject({ members: [], sessions: 3 });
  });

  it("answers a query in pages and by counts", async () => {
    await using server = await startTestServer();
    const alice = await join(server, "alice");
    for (let i = 0; i < 5; i++) await (await join(server, `p${i}`)).subscribe("lobby");
    const names: string[] = [];
    let pageToken = "";
    do {
      const page = expectResult(await query(alice, "lobby", { pageSize: 2, pageToken }), "presencePage");
      expect(page).toMatchObject({ sessions: 5, players: 5 });
      names.push(...page.members.map(({ playerId }) => playerId));
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    expect(names.sort()).toEqual(["p0", "p1", "p2", "p3", "p4"]);
    const counts = expectResult(await query(alice, "lobby", { countsOnly: true }), "presencePage");
    expect(counts).toMatchObject({ members: [], sessions: 5, players: 5, nextPageToken: "" });
    expect(expectResult(await query(alice, "empty"), "presencePage")).toMatchObject({ sessions: 0, players: 0 });
    const bad = expectResult(await query(alice, "lobby", { pageToken: "zz" }), "error");
    expect(bad).toMatchObject({ code: ErrorCode.INVALID_ARGUMENT, field: "presence.page_token" });
  });

  it("refuses queries and updates of what tells none, is closed to the player or not subscribed", async () => {
    await using server = await startTestServer();
    const alice = await join(server, "alice", { caps: ["presence:members-only:open"] });
    const codeOf = async (name: string) => ErrorCode[expectResult(await query(alice, name), "error").code];
    expect(await codeOf("no-presence:x")).toBe("FAILED_PRECONDITION");
    expect(await codeOf("members-only:x")).toBe("PERMISSION_DENIED");
    expect(await codeOf("nowhere:x")).toBe("UNKNOWN_NAMESPACE");
    expectResult(await query(alice, "members-only:open"), "presencePage");
    const update = async (name: string) => {
      const result = await alice.request({ case: "presenceUpdate", value: { channel: group(name) } });
      return ErrorCode[expectResult(result, "error").code];
    };
    expect(await update("lobby")).toBe("NOT_SUBSCRIBED");
    await alice.subscribe("no-presence:x", { presence: true, presenceData: text("x") });
    expect(await update("no-presence:x")).toBe("FAILED_PRECONDITION");
    await alice.settle();
    expect(alice.kinds).not.toContain("presenceEvent");
  });

  it("bounds presence data, in hello too (FF-PR-025)", async () => {
    await using server = await startTestServer({ limits: { maxPresenceDataBytes: 20 } });
    const subscription = { channel: group("lobby"), presenceData: text("x".repeat(21)) };
    const alice = await server.join("alice", { hello: { features, subscriptions: [subscription] } });
    const [result] = alice.welcome!.subscriptions;
    expect(result?.result.case === "error" && result.result.value.code).toBe(ErrorCode.TOO_LARGE);
    const again = await alice.request({ case: "subscribe", value: subscription });
    expect(expectResult(again, "error").code).toBe(ErrorCode.TOO_LARGE);
  });

  it("takes the later request's data, and none without the feature", async () => {
    await using server = await startTestServer();
    const plain = await server.join("plain");
    await plain.subscribe("lobby", { presence: true, presenceData: text("hidden") });
    const alice = await join(server, "alice");
    await alice.subscribe("lobby", { presenceData: text("one") });
    await alice.subscribe("lobby", { presenceData: text("two") });
    const { members } = expectResult(await query(alice, "lobby"), "presencePage");
    expect(members.map(({ playerId, data }) => [playerId, data?.data.value]).sort()).toEqual([
      ["alice", "two"],
      ["plain", undefined],
    ]);
    await alice.subscribe("lobby");
    const later = expectResult(await query(alice, "lobby"), "presencePage");
    expect(later.members.find(({ playerId }) => playerId === "alice")?.data).toBeUndefined();
    await plain.settle();
    expect(plain.kinds).not.toContain("presenceEvent");
  });

  it("is told to a client that takes it slowly a page after the other, and what changes meanwhile behind the last (FF-PR-002, FF-PR-005)", async () => {
    const fast = { framesPerSecond: 1_000_000, bytesPerSecond: 1_073_741_824, handshakesPerSecond: 1_000_000 };
    await using server = await startTestServer({ limits: { ...fast, maxPresenceDataBytes: 65_536 } });
    const presenceData = text("x".repeat(65_536));
    const crowd = Array.from({ length: 200 }, (_, i) =>
      join(server, `p${i}`, { hello: { features, subscriptions: [{ channel: group("lobby"), presenceData }] } }),
    );
    await Promise.all(crowd);
    const alice = await join(server, "alice");
    await alice.subscribe("lobby", { presence: true });
    alice.pause();
    const link = [...server.hub().sessionsOf("alice")][0]?.link;
    // More than the kernel takes.
    await until(() => (link?.queuedBytes ?? 0) > 0, "pages to wait");
    await (await join(server, "late")).subscribe("lobby");
    const { presence } = server.hub().channels.get(groupKey("lobby"))!;
    await until(
      () => presence?.page({ pageSize: 1, pageToken: "", countsOnly: true }).sessions === 202,
      "the latecomer",
    );
    expect(server.counters.sendQueueBytes).toBeLessThanOrEqual(1_048_576);
    alice.resume();
    await alice.next(({ kind }) => kind.case === "presenceEvent" && kind.value.event.case === "diff");
    const events = alice.frames.flatMap(({ kind }) => (kind.case === "presenceEvent" ? [kind.value.event] : []));
    const pages = events.flatMap(({ case: kind, value }) => (kind === "snapshot" ? [value] : []));
    expect(events.map(({ case: kind }) => kind)).toEqual([...pages.map(() => "snapshot"), "diff"]);
    expect(pages.map(({ first, last }) => [first, last])).toEqual(
      pages.map((_, i) => [i === 0, i === pages.length - 1]),
    );
    expect(pages.reduce((sum, { members }) => sum + members.length, 0)).toBe(201);
    expect(alice.closedWith).toBeUndefined();
  });
});

function countsOf({ event }: PresenceEvent): number {
  return event.case === "counts" ? event.value.sessions : 0;
}
