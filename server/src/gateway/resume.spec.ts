import { CloseCode, ErrorCode, GapReason, type Welcome } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { expectResult, type TestClient, until } from "../testing/test-client.ts";
import { startTestServer, type TestServer, tokenFor } from "../testing/test-server.ts";

const features = ["resume", "hand_over", "presence", "report"];
const group = (value: string) => ({ channel: { kind: { case: "group" as const, value } } });

/** What a client says to go on with a session. */
function resumeOf({ sessionId, resumeSecret, attempt }: Welcome, more: object = {}) {
  const resume = { sessionId, secret: resumeSecret };
  return { token: tokenFor("alice"), features, attempt: attempt + 1, resume, ...more };
}

/** Joins as alice with resume, subscribed to groups. */
async function begin(server: TestServer, groups: string[] = []): Promise<TestClient> {
  return server.join("alice", { hello: { features, subscriptions: groups.map(group) } });
}

async function detached(server: TestServer, client: TestClient): Promise<void> {
  client.cut();
  const session = server.hub().sessions.get(client.welcome!.sessionId);
  await until(() => session?.link === undefined, "the session to be detached");
}

/** Says a hello that is refused and returns how. */
async function refusal(server: TestServer, hello: object) {
  const client = await server.dial();
  client.sayHello(hello as never);
  const { code } = await client.ended();
  const error = client.frames.find(({ kind }) => kind.case === "error")?.kind;
  return { code, error: error?.case === "error" ? ErrorCode[error.value.code] : undefined };
}

function subscriptionsOf(welcome: Welcome) {
  return Object.fromEntries(
    welcome.subscriptions.map(({ channel, result }) => [
      channel?.kind.value === true ? "broadcast" : channel?.kind.value,
      result.case === "subscribed" ? (result.value.gap?.reason ?? "stands") : ErrorCode[result.value?.code ?? 0],
    ]),
  );
}

describe("resume", () => {
  it("goes on with the session and tells each subscription it had of the gap", async () => {
    await using server = await startTestServer();
    const first = await begin(server, ["lobby"]);
    const before = first.welcome!;
    await detached(server, first);
    const second = await server.dial();
    const after = await second.hello(resumeOf(before, { subscriptions: ["lobby", "new"].map(group) }));
    expect(after).toMatchObject({ sessionId: before.sessionId, origin: before.origin, attempt: 2, resumed: true });
    expect(after.resumeSecret).not.toBe("");
    expect(subscriptionsOf(after)).toEqual({
      lobby: GapReason.DETACHED,
      new: "stands",
      alice: GapReason.DETACHED,
      broadcast: GapReason.DETACHED,
    });
    await second.publish("lobby", "hello");
    expect((await second.frame("message")).origin).toBe(before.origin);
  });

  it("goes on with a secret older than the newest", async () => {
    await using server = await startTestServer();
    const { welcome } = await begin(server);
    const second = await server.dial();
    await second.hello(resumeOf(welcome!));
    const third = await server.dial();
    expect((await third.hello(resumeOf(welcome!, { attempt: 7 }))).resumed).toBe(true);
  });

  it("counts what is published meanwhile as detached, and delivers none of it", async () => {
    await using server = await startTestServer();
    const alice = await begin(server);
    const bob = await server.join("bob", { hello: { features } });
    await detached(server, alice);
    const to = { case: "player" as const, value: "alice" };
    const result = await bob.publish(to, "missed", { wantReport: true });
    expect(result).toMatchObject({ outcome: 1, report: { reached: 0, detached: 1 } });
    const back = await server.dial();
    await back.hello(resumeOf(alice.welcome!));
    await bob.publish(to, "seen");
    await back.received(1);
    expect(back.texts).toEqual(["seen"]);
  });

  it("closes without an event what the client no longer names, and keeps what the server opened", async () => {
    await using server = await startTestServer();
    server.hub().join("alice", "chat:clan");
    const first = await begin(server, ["lobby", "arena", "chat:clan"]);
    await detached(server, first);
    const second = await server.dial();
    const welcome = await second.hello(resumeOf(first.welcome!, { subscriptions: [group("arena")] }));
    expect(Object.keys(subscriptionsOf(welcome)).sort()).toEqual(["alice", "arena", "broadcast", "chat:clan"]);
    await second.publish("lobby", "nobody hears");
    await second.settle();
    expect(second.kinds).toEqual(["welcome", "reply", "pong"]);
  });

  it("keeps closed what the client had unsubscribed of the server's own", async () => {
    await using server = await startTestServer();
    const first = await begin(server);
    expectResult(
      await first.request({ case: "unsubscribe", value: { channel: { kind: { case: "broadcast", value: true } } } }),
      "unsubscribed",
    );
    await detached(server, first);
    const second = await server.dial();
    expect(Object.keys(subscriptionsOf(await second.hello(resumeOf(first.welcome!))))).toEqual(["alice"]);
  });

  it("closes what a lesser token no longer allows", async () => {
    await using server = await startTestServer();
    const first = await server.join("alice", {
      caps: ["subscribe:members-only:*"],
      groups: ["chat:clan"],
      hello: { features, subscriptions: [group("members-only:den")] },
    });
    expect(subscriptionsOf(first.welcome!)["members-only:den"]).toBe("stands");
    await detached(server, first);
    const second = await server.dial();
    const welcome = await second.hello(resumeOf(first.welcome!, { subscriptions: [group("members-only:den")] }));
    expect(subscriptionsOf(welcome)).toMatchObject({ "members-only:den": "PERMISSION_DENIED" });
    expect([...server.hub().sessions.get(welcome.sessionId)!.subscriptions.keys()].sort()).toEqual(["b", "p:alice"]);
    expect(second.kinds).toEqual(["welcome"]);
  });

  it("decides anew which features are in force", async () => {
    await using server = await startTestServer();
    const first = await begin(server);
    await detached(server, first);
    const second = await server.dial();
    const welcome = await second.hello(resumeOf(first.welcome!, { features: ["resume"] }));
    expect(welcome.features).toEqual(["resume"]);
  });

  it("refuses a wrong secret, another player's and another app's with 4203 and evicts nobody", async () => {
    await using server = await startTestServer();
    const alice = await begin(server);
    const bob = await server.join("bob", { hello: { features } });
    const hello = resumeOf(alice.welcome!);
    const resume = hello.resume;
    const forged = [
      { resume: { ...resume, secret: withOtherSignature(resume.secret) } },
      { resume: { ...resume, secret: "random.x.y" } },
      { resume: { ...resume, secret: bob.welcome!.resumeSecret } },
      { resume: { ...resume, sessionId: bob.welcome!.sessionId } },
      { token: tokenFor("bob") },
      { token: tokenFor("alice", { app: "b" }) },
    ];
    for (const change of forged) {
      expect(await refusal(server, { ...hello, ...change }), JSON.stringify(change)).toEqual({
        code: CloseCode.SESSION_LOST,
        error: "SESSION_ENDED",
      });
    }
    await alice.settle();
    await bob.settle();
  });

  it("refuses a stale attempt with 4010 and evicts nobody", async () => {
    await using server = await startTestServer();
    const alice = await server.join("alice", { hello: { features, attempt: 5 } });
    for (const attempt of [1, 4, 5]) {
      expect(await refusal(server, resumeOf(alice.welcome!, { attempt }))).toMatchObject({
        code: CloseCode.STALE_ATTEMPT,
      });
    }
    await alice.settle();
  });

  it("takes over from a connection that still stands, which is closed with 4009", async () => {
    await using server = await startTestServer();
    const first = await begin(server, ["lobby"]);
    const second = await server.dial();
    const welcome = await second.hello(resumeOf(first.welcome!, { subscriptions: [group("lobby")] }));
    expect(subscriptionsOf(welcome)).toMatchObject({ lobby: GapReason.DETACHED });
    expect((await first.ended()).code).toBe(CloseCode.REPLACED);
    await second.publish("lobby", "still here");
    await second.received(1);
    expect(server.hub().sessions.size).toBe(1);
  });

  it("treats a hand-over from a connection that was not told to go as a resume like any other", async () => {
    await using server = await startTestServer();
    const first = await begin(server);
    const hello = resumeOf(first.welcome!);
    const second = await server.dial();
    const welcome = await second.hello({ ...hello, resume: { ...hello.resume, handOver: true } });
    expect(subscriptionsOf(welcome)).toMatchObject({ broadcast: GapReason.DETACHED });
    expect((await first.ended()).code).toBe(CloseCode.REPLACED);
  });

  it("begins a new session after the window", async () => {
    await using server = await startTestServer({ timing: { resumeWindowMs: 50 } });
    const first = await begin(server);
    await detached(server, first);
    await until(() => server.hub().sessions.size === 0, "the window to pass");
    const second = await server.dial();
    const welcome = await second.hello(resumeOf(first.welcome!));
    expect(welcome.resumed).toBe(false);
    expect(welcome.sessionId).not.toBe(first.welcome!.sessionId);
    expect(welcome.origin).not.toBe(first.welcome!.origin);
    expect(welcome.attempt).toBe(2);
  });

  it("takes no notice of a resume from a client that does not claim the feature", async () => {
    await using server = await startTestServer();
    const first = await begin(server);
    const second = await server.dial();
    expect((await second.hello(resumeOf(first.welcome!, { features: [] }))).resumed).toBe(false);
    await first.settle();
  });

  it("refuses a session that was disconnected or closed for good", async () => {
    await using server = await startTestServer();
    const ends: ((client: TestClient) => void)[] = [
      (client) => client.send({ kind: { case: "disconnect", value: { reason: "done" } } }),
      (client) => void client.close(4000),
      (client) => void client.close(4001),
    ];
    for (const end of ends) {
      const client = await begin(server);
      end(client);
      expect([4000, 4001]).toContain((await client.ended()).code);
      await until(() => server.hub().sessions.size === 0, "the session to end");
      expect(await refusal(server, resumeOf(client.welcome!))).toEqual({
        code: CloseCode.DISCONNECTED,
        error: "SESSION_ENDED",
      });
    }
  });

  it("refuses a session that was kicked or banned with that code, and closes its connection with it", async () => {
    await using server = await startTestServer();
    for (const code of [CloseCode.KICKED, CloseCode.BANNED] as const) {
      const client = await begin(server);
      const session = server.hub().sessions.get(client.welcome!.sessionId)!;
      server.hub().end(session, { reason: "kicked", code, message: "out", tombstone: code });
      expect(await client.ended()).toEqual({ code, reason: "out" });
      expect(await refusal(server, resumeOf(client.welcome!))).toMatchObject({ code });
    }
  });

  it("leaves the session waiting after any other close, and after none", async () => {
    await using server = await startTestServer();
    const ends: ((client: TestClient) => Promise<unknown>)[] = [
      (client) => client.close(1000),
      (client) => client.close(1001),
      (client) => client.close(4101),
      (client) => client.close(),
      async (client) => client.cut(),
    ];
    for (const end of ends) {
      const client = await begin(server);
      await end(client);
      const second = await server.dial();
      expect((await second.hello(resumeOf(client.welcome!))).resumed).toBe(true);
    }
  });

  it("fails a call whose connection was taken over before it was answered", async () => {
    await using server = await startTestServer();
    const first = await server.join("alice", { hello: { features: [...features, "server_rpc"] } });
    const session = server.hub().sessions.get(first.welcome!.sessionId)!;
    const call = session.calls.call(session.link!, { method: "m", payload: undefined, deadlineMs: 60_000 });
    await first.frame("rpc");
    const second = await server.dial();
    await second.hello(resumeOf(first.welcome!));
    const { result } = await call;
    expect(result.case === "error" && result.value.code).toBe(ErrorCode.DEADLINE_EXCEEDED);
  });

  it("answers a repeat with what became of the first, also of one that was refused, and delivers none twice", async () => {
    await using server = await startTestServer();
    const first = await begin(server, ["lobby"]);
    const good = first.publishOf("lobby", "once");
    const refused = first.publishOf("members-only:x", "never");
    const toNobody = first.publishOf({ case: "player", value: "nobody" }, "off");
    const reply = async (client: TestClient, value: typeof good) => client.request({ case: "publish", value });
    expect(expectResult(await reply(first, good), "publishResult")).toMatchObject({ outcome: 1, repeated: false });
    expect(expectResult(await reply(first, refused), "error").code).toBe(ErrorCode.PERMISSION_DENIED);
    expect(expectResult(await reply(first, toNobody), "publishResult").outcome).toBe(3);
    await first.received(1);
    await detached(server, first);
    const second = await server.dial();
    await second.hello(resumeOf(first.welcome!, { subscriptions: [group("lobby")] }));
    expect(expectResult(await reply(second, good), "publishResult")).toMatchObject({ outcome: 1, repeated: true });
    expect(expectResult(await reply(second, refused), "publishResult")).toMatchObject({
      outcome: 4,
      repeated: true,
      error: { code: ErrorCode.PERMISSION_DENIED },
    });
    expect(expectResult(await reply(second, toNobody), "publishResult")).toMatchObject({ outcome: 3, repeated: true });
    await second.settle();
    expect(second.texts).toEqual([]);
  });

  it("ends a session without the feature with its connection", async () => {
    await using server = await startTestServer();
    const client = await server.join("alice");
    client.cut();
    await until(() => server.counters.sessions === 0, "the session to end");
    expect(server.counters.subscriptions).toBe(0);
  });

  it("is kept for as many sessions of a player as it may have connections: the longest gone ends first", async () => {
    await using server = await startTestServer({ limits: { maxConnectionsPerPlayer: 2 } });
    const welcomes: Welcome[] = [];
    for (let i = 0; i < 3; i++) {
      const client = await begin(server);
      welcomes.push(client.welcome!);
      await detached(server, client);
    }
    expect([...server.hub().sessions.keys()]).toEqual(welcomes.slice(1).map(({ sessionId }) => sessionId));
    const [first, second] = welcomes as [Welcome, Welcome];
    expect(await (await server.dial()).hello(resumeOf(first))).toMatchObject({ resumed: false });
    expect(await (await server.dial()).hello(resumeOf(second))).toMatchObject({ resumed: true });
  });
});

/** The secret with one character of its signature changed; not the last, some bits of which mean nothing. */
function withOtherSignature(secret: string): string {
  const at = secret.length - 10;
  return `${secret.slice(0, at)}${secret[at] === "A" ? "B" : "A"}${secret.slice(at + 1)}`;
}
