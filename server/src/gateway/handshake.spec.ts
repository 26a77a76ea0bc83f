import { CloseCode, ErrorCode } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { until } from "../testing/test-client.ts";
import { startTestServer, type TestServer, tokenFor } from "../testing/test-server.ts";

const allFeatures = ["resume", "hand_over", "presence", "report", "server_rpc", "durable", "history", "cursor"];
const token = tokenFor("alice");

/** Says hello, which is refused, and returns how. */
async function refusalOf(server: TestServer, hello: object, options: object = {}) {
  const client = await server.dial(options);
  client.sayHello(hello as never);
  const { code, reason } = await client.ended();
  expect(client.kinds).not.toContain("welcome");
  const errors = client.frames.flatMap(({ kind }) => (kind.case === "error" ? [kind.value.code] : []));
  return { code, reason, errors };
}

for (const protocol of ["fanfare.v1.proto", "fanfare.v1.json"]) {
  describe(`the handshake in ${protocol}`, () => {
    it("answers hello with everything welcome promises", async () => {
      await using server = await startTestServer({ limits: { publishBurst: 7 } });
      const client = await server.dial({ protocol });
      const beforeUs = Date.now() * 1000;
      const welcome = await client.hello({ token, attempt: 3, features: [...allFeatures, "durable", "no-such"] });
      expect(client.protocol).toBe(protocol);
      expect(welcome).toMatchObject({
        attempt: 3,
        playerId: "alice",
        appId: "a",
        nodeId: "test-node",
        heartbeatIntervalMs: 25_000,
        heartbeatTimeoutMs: 10_000,
        resumed: false,
        resumeWindowMs: 60_000,
        revision: 1,
        reconnectWindowMs: 2_000,
      });
      expect(welcome.sessionId).not.toBe("");
      expect(welcome.origin).not.toBe(0n);
      expect(welcome.resumeSecret).not.toBe("");
      expect([...welcome.features].sort()).toEqual([...allFeatures].sort());
      expect(welcome.limits).toMatchObject({
        maxFrameBytes: 131_072,
        maxPayloadBytes: 65_536,
        maxSubscriptions: 128,
        publishesPerSecond: 100,
        publishBurst: 7,
        maxPendingRequests: 256,
        framesPerSecond: 500,
        bytesPerSecond: 1_048_576,
      });
      expect(Math.abs(Number(welcome.serverTimeUs) - beforeUs)).toBeLessThan(10_000_000);
      expect(Number(welcome.tokenExpiresAtMs)).toBeGreaterThan(Date.now() + 3_500_000);
      expect(client.frames[0]?.kind.case).toBe("welcome");
    });

    it("tells what became of each subscription, then what the server opened by itself", async () => {
      await using server = await startTestServer();
      server.hub().join("alice", "chat:stored");
      const client = await server.dial({ protocol });
      const group = (value: string) => ({ channel: { kind: { case: "group" as const, value } } });
      const welcome = await client.hello({
        token: tokenFor("alice", { groups: ["members-only:clan"] }),
        subscriptions: [group("lobby"), group("nowhere:x"), group("members-only:other"), group("members-only:clan")],
      });
      const told = welcome.subscriptions.map(({ channel, result }) => [
        channel?.kind.case === "broadcast" ? "broadcast" : channel?.kind.value,
        result.case === "error" ? ErrorCode[result.value.code] : result.value?.byServer,
      ]);
      expect(told).toEqual([
        ["lobby", false],
        ["nowhere:x", "UNKNOWN_NAMESPACE"],
        ["members-only:other", "PERMISSION_DENIED"],
        ["members-only:clan", true],
        ["alice", true],
        ["broadcast", true],
        ["chat:stored", true],
      ]);
    });

    it("closes with what belongs to each refusal", async () => {
      await using server = await startTestServer();
      const of = (hello: object) => refusalOf(server, hello, { protocol });
      const { PROTOCOL_ERROR, UNAUTHENTICATED, UNSUPPORTED_REVISION, TOKEN_EXPIRED } = CloseCode;
      expect(await of({ token, minRevision: 2, maxRevision: 9 })).toMatchObject({ code: UNSUPPORTED_REVISION });
      expect(await of({ token: "x.y.z" })).toMatchObject({
        code: UNAUTHENTICATED,
        errors: [ErrorCode.UNAUTHENTICATED],
      });
      expect(await of({ token: tokenFor("alice", { app: "a" }).slice(0, -2) })).toMatchObject({
        code: UNAUTHENTICATED,
      });
      expect(await of({ token: tokenFor("alice", { expiresInMs: -1000 }) })).toMatchObject({
        code: TOKEN_EXPIRED,
        errors: [ErrorCode.TOKEN_EXPIRED],
      });
      expect(await of({ token: tokenFor("", {}) })).toMatchObject({ code: UNAUTHENTICATED });
      for (const broken of [{ token: "" }, { token, attempt: 0 }, { token, features: ["ö"] }]) {
        expect(await of(broken), JSON.stringify(broken)).toMatchObject({
          code: PROTOCOL_ERROR,
          errors: [ErrorCode.INVALID_ARGUMENT],
        });
      }
    });
  });
}

describe("the handshake", () => {
  it("takes a revision range that includes 1", async () => {
    await using server = await startTestServer();
    for (const range of [{ maxRevision: 9 }, { minRevision: 1, maxRevision: 1 }, { minRevision: 1 }]) {
      const client = await server.dial();
      expect((await client.hello({ token, ...range })).revision).toBe(1);
    }
  });

  it("keeps the heartbeat a client wishes within its range", async () => {
    await using server = await startTestServer();
    for (const [wish, granted] of [
      [0, 25_000],
      [1, 5_000],
      [7_000, 7_000],
      [3_000_000, 60_000],
    ] as const) {
      const client = await server.dial();
      const welcome = await client.hello({ token, heartbeatIntervalMs: wish });
      expect(welcome.heartbeatIntervalMs).toBe(granted);
    }
  });

  it("serves a client without features with the core alone", async () => {
    await using server = await startTestServer();
    const client = await server.join("alice");
    expect(client.welcome).toMatchObject({ features: [], resumeSecret: "", resumeWindowMs: 0 });
  });

  it("claims neither resume nor hand_over without a window", async () => {
    await using server = await startTestServer({ timing: { resumeWindowMs: 0 } });
    const client = await server.join("alice", { hello: { features: allFeatures } });
    expect(client.welcome?.features).toEqual(allFeatures.filter((name) => name !== "resume" && name !== "hand_over"));
  });

  it("puts hand_over in force only with resume", async () => {
    await using server = await startTestServer();
    const client = await server.join("alice", { hello: { features: ["hand_over", "report"] } });
    expect(client.welcome?.features).toEqual(["report"]);
  });

  it("closes with 4102 when no hello comes in time", async () => {
    await using server = await startTestServer({ timing: { helloTimeoutMs: 100 } });
    const client = await server.dial();
    expect((await client.ended()).code).toBe(CloseCode.HELLO_TIMEOUT);
  });

  it("closes with 4001 when the first frame is no hello, or something follows before welcome", async () => {
    await using server = await startTestServer();
    const early = await server.dial();
    early.send({ id: 1, kind: { case: "ping", value: {} } });
    expect((await early.ended()).code).toBe(CloseCode.PROTOCOL_ERROR);
    const impatient = await server.dial();
    impatient.send({ kind: { case: "hello", value: { token, attempt: 1 } } }, { kind: { case: "ping", value: {} } });
    expect((await impatient.ended()).code).toBe(CloseCode.PROTOCOL_ERROR);
    expect(impatient.kinds).toEqual(["error"]);
  });

  it("closes with 4001 when too many frames come before welcome", async () => {
    await using server = await startTestServer({ limits: { framesPerSecond: 10_000 } });
    const client = await server.dial();
    client.send(...Array.from({ length: 1025 }, () => ({})));
    expect((await client.ended()).code).toBe(CloseCode.PROTOCOL_ERROR);
  });

  it("closes with 4001 at a second hello, and that session is over", async () => {
    await using server = await startTestServer();
    for (const second of [
      { token, attempt: 2 },
      { token: "", attempt: 0 },
    ]) {
      const client = await server.join("alice", { hello: { token, features: ["resume"] } });
      const { sessionId } = client.welcome!;
      client.send({ id: 9, kind: { case: "hello", value: second } });
      expect((await client.ended()).code).toBe(CloseCode.PROTOCOL_ERROR);
      expect(client.kinds.at(-1)).toBe("error");
      expect(server.hub().sessions.has(sessionId)).toBe(false);
    }
  });

  it("upgrades a client without a common subprotocol with the one it offered, and closes with 4003", async () => {
    await using server = await startTestServer();
    for (const [offered, answered] of [
      [null, ""],
      ["chat", "chat"],
      [["chat", "soap"], "chat"],
    ] as const) {
      const client = await server.dial({ protocol: offered });
      expect(client.protocol).toBe(answered);
      expect((await client.ended()).code).toBe(CloseCode.UNSUPPORTED_SUBPROTOCOL);
    }
    const both = await server.dial({ protocol: ["chat", "fanfare.v1.json"] });
    expect(both.protocol).toBe("fanfare.v1.json");
  });

  it("refuses a page of another origin with 4006, and takes clients that are no browsers", async () => {
    await using server = await startTestServer({ allowedOrigins: ["https://game.example"] });
    const from = (origin: string) => ({ headers: { origin } });
    for (const origin of ["https://evil.example", "null", "https://game.example.evil", "http://localhost:1"]) {
      expect((await refusalOf(server, { token }, from(origin))).code, origin).toBe(CloseCode.ORIGIN_REFUSED);
    }
    await server.join("alice", from("https://game.example"));
    await server.join("alice");
  });

  it("answers an upgrade at another path with 404", async () => {
    await using server = await startTestServer();
    const { TestClient } = await import("../testing/test-client.ts");
    const url = server.connectUrl().replace("connect", "other");
    await expect(TestClient.connect(url)).rejects.toThrow("404");
  });

  it("admits as many handshakes a second as configured", async () => {
    await using server = await startTestServer({ limits: { handshakesPerSecond: 1 } });
    await server.join("alice");
    expect((await refusalOf(server, { token })).code).toBe(CloseCode.OVERLOADED);
  });

  it("admits as many connections of a player, an address and a node as configured", async () => {
    await using ofPlayer = await startTestServer({ limits: { maxConnectionsPerPlayer: 1 } });
    await ofPlayer.join("alice");
    await ofPlayer.join("bob");
    expect((await refusalOf(ofPlayer, { token })).code).toBe(CloseCode.OVERLOADED);
    for (const limits of [{ maxConnectionsPerAddress: 1 }, { maxConnections: 1 }]) {
      await using server = await startTestServer({ limits });
      const first = await server.join("alice");
      const second = await server.dial();
      expect((await second.ended()).code, JSON.stringify(limits)).toBe(CloseCode.OVERLOADED);
      await first.close();
      await server.join("alice");
    }
    await using silent = await startTestServer({ limits: { maxUnauthenticated: 1 } });
    await silent.dial();
    expect((await (await silent.dial()).ended()).code).toBe(CloseCode.OVERLOADED);
  });

  it("keeps as many sessions as configured, those within their window among them", async () => {
    await using server = await startTestServer({ limits: { maxSessions: 1 } });
    const first = await server.join("bob", { hello: { features: ["resume"] } });
    const { sessionId, resumeSecret: secret } = first.welcome!;
    first.cut();
    await until(() => server.counters.sessionsDetached === 1, "the session to be detached");
    expect((await refusalOf(server, { token })).code).toBe(CloseCode.OVERLOADED);
    const hello = { features: ["resume"], attempt: 2, resume: { sessionId, secret } };
    const second = await server.join("bob", { hello });
    await second.close(CloseCode.DISCONNECTED);
    await until(() => server.counters.sessions === 0, "the session to end");
    await server.join("alice");
  });

  it("says over which window clients come back, as configured", async () => {
    await using server = await startTestServer({ timing: { reconnectWindowMs: 700 } });
    expect((await server.join("alice")).welcome?.reconnectWindowMs).toBe(700);
  });

  it("keeps addresses apart, and does not believe a header that nobody vouches for", async () => {
    await using server = await startTestServer({ limits: { maxConnectionsPerAddress: 1 } });
    await server.join("alice");
    const forged = await server.dial({ headers: { "x-forwarded-for": "203.0.113.7" } });
    expect((await forged.ended()).code).toBe(CloseCode.OVERLOADED);
    await server.join("alice", { localAddress: "127.0.0.2" });
  });
});
