import { CloseCode, ErrorCode } from "@fanfare/proto/v1";
import { describe, expect, it, vi } from "vitest";
import { createLog, type LogEntry } from "../observe/log.ts";
import { expectResult, type TestClient, until } from "../testing/test-client.ts";
import { startTestServer, tokenFor } from "../testing/test-server.ts";
import { groupKey } from "../wire/channel-key.ts";

const group = (value: string) => ({ kind: { case: "group" as const, value } });

async function errorOf(reply: ReturnType<TestClient["request"]>) {
  const { code, field } = expectResult(await reply, "error");
  return { code: ErrorCode[code], field };
}

function errorFrames(client: TestClient) {
  return client.frames.flatMap(({ id, kind }) =>
    kind.case === "error" ? [{ id, code: ErrorCode[kind.value.code], field: kind.value.field }] : [],
  );
}

for (const protocol of ["fanfare.v1.proto", "fanfare.v1.json"]) {
  describe(`frames in ${protocol}`, () => {
    it("answers each broken bound by its request's id, and goes on", async () => {
      await using server = await startTestServer();
      const client = await server.join("alice", { protocol, hello: { features: ["presence"] } });
      const publish = (value: object) => errorOf(client.request({ case: "publish", value: value as never }));
      const invalid = (field: string) => ({ code: "INVALID_ARGUMENT", field });
      expect(await publish({ seq: 1n })).toEqual(invalid("publish.channel"));
      expect(await publish({ seq: 1n, channel: {} })).toEqual(invalid("publish.channel.kind"));
      expect(await publish({ seq: 0n, channel: group("x") })).toEqual(invalid("publish.seq"));
      expect(await publish({ seq: 2n ** 53n, channel: group("x") })).toEqual(invalid("publish.seq"));
      expect(await publish({ seq: 1n, channel: group("a b") })).toEqual(invalid("publish.channel.group"));
      expect(await publish({ seq: 1n, channel: group("x"), ttlMs: 2_592_000_001 })).toEqual(invalid("publish.ttl_ms"));
      expect(await publish({ seq: 1n, channel: group("x"), conflationKey: "k" })).toEqual(
        invalid("publish.conflation_key"),
      );
      const page = { case: "presence" as const, value: { channel: group("x"), pageSize: 1001 } };
      expect(await errorOf(client.request(page))).toEqual(invalid("presence.page_size"));
      await client.settle();
      expect(errorFrames(client)).toEqual([]);
    });

    it("says why a request without an id is refused, at most once a second and code", async () => {
      await using server = await startTestServer();
      const client = await server.join("alice", { protocol });
      for (let i = 0; i < 5; i++) client.send({ kind: { case: "publish", value: { seq: 1n } } });
      client.send({ kind: { case: "unsubscribe", value: { channel: group("x") } } });
      await client.settle();
      expect(errorFrames(client)).toEqual([
        { id: 0, code: "INVALID_ARGUMENT", field: "publish.channel" },
        { id: 0, code: "NOT_SUBSCRIBED", field: "" },
      ]);
    });

    it("makes no page that nobody gets, and still says why one is refused", async () => {
      await using server = await startTestServer();
      const client = await server.join("alice", { protocol, hello: { features: ["durable", "history", "presence"] } });
      await client.subscribe("lobby");
      const { messageLog, channels } = server.hub();
      const reads = vi.spyOn(messageLog, "rewind");
      const looks = vi.spyOn(channels.get(groupKey("lobby"))!.presence!, "page");
      const history = (name: string) => ({ kind: { case: "history" as const, value: { channel: group(name) } } });
      for (let i = 0; i < 100; i++) client.send(history("durable:log"));
      client.send({ kind: { case: "presence", value: { channel: group("lobby") } } }, history("lobby"));
      await client.settle();
      expect(reads).not.toHaveBeenCalled();
      expect(looks).not.toHaveBeenCalled();
      expect(errorFrames(client)).toEqual([{ id: 0, code: "FAILED_PRECONDITION", field: "" }]);
      expectResult(await client.request(history("durable:log").kind), "historyPage");
      expect(reads).toHaveBeenCalledOnce();
    });

    it("refuses what is not served or not in force, and ignores what it does not know", async () => {
      await using server = await startTestServer();
      const client = await server.join("alice", { protocol, hello: { features: ["client_rpc"] } });
      const kinds = [
        { case: "rpc", value: { method: "m" } },
        { case: "history", value: { channel: group("x") } },
        { case: "cursorCommit", value: { channel: group("x"), position: {} } },
        { case: "presence", value: { channel: group("x") } },
        { case: "presenceUpdate", value: { channel: group("x") } },
      ] as const;
      for (const kind of kinds) expect((await errorOf(client.request(kind))).code, kind.case).toBe("UNIMPLEMENTED");
      expect((await errorOf(client.request({ case: undefined }))).code).toBe("UNIMPLEMENTED");
      client.send({});
      client.sendRaw(
        protocol === "fanfare.v1.json"
          ? '{"frames":[{"teleport":{"to":"mars"}}],"more":1}'
          : Uint8Array.of(0x0a, 0x04, 0xa2, 0x06, 0x01, 0x00),
      );
      await client.settle();
      expect(server.counters.framesIgnored).toBe(2);
      expect(errorFrames(client)).toEqual([]);
    });

    it("is logged with its connection where that is wanted, and nothing of what is in it", async () => {
      const entries: LogEntry[] = [];
      const log = createLog({ level: "debug", nowMs: Date.now, sink: (entry) => void entries.push(entry) });
      await using server = await startTestServer({ log });
      const client = await server.join("alice", { protocol });
      await client.publish("lobby", "a secret");
      await client.close(1000);
      const told = () => entries.filter(({ level }) => level === "debug").map(({ message }) => message);
      await until(() => told().length === 4, "the end of the connection");
      const [accepted, welcomed, came, ended] = entries.filter(({ level }) => level === "debug");
      const session = client.welcome?.sessionId;
      expect(accepted).toMatchObject({ message: "a connection was accepted", fields: { address: "127.0.0.1" } });
      expect(welcomed?.fields).toMatchObject({ session, app: "a", player: "alice" });
      expect(came).toMatchObject({ message: "a frame came", fields: { session, kind: "publish", id: 1 } });
      expect(ended).toMatchObject({ message: "a connection has ended", fields: { session, code: 1000 } });
      expect(JSON.stringify(entries)).not.toContain("secret");
    });

    it("takes an empty message for a sign of life", async () => {
      await using server = await startTestServer();
      const client = await server.join("alice", { protocol });
      client.send();
      await client.settle();
      expect(client.kinds).toEqual(["welcome", "pong"]);
    });
  });
}

describe("frames", () => {
  it("refuses a message with more than 1024 frames as a whole", async () => {
    await using server = await startTestServer({ limits: { framesPerSecond: 100_000 } });
    const client = await server.join("alice");
    await client.subscribe("lobby");
    const publishes = Array.from({ length: 1025 }, () => ({
      kind: { case: "publish" as const, value: client.publishOf("lobby", "x") },
    }));
    client.send(...publishes);
    await client.settle();
    expect(errorFrames(client)).toEqual([{ id: 0, code: "INVALID_ARGUMENT", field: "frames" }]);
    expect(client.messages).toEqual([]);
    client.send(...publishes.slice(0, 1024).map((_, i) => ({ id: i + 1, kind: { case: "ping" as const, value: {} } })));
    await client.settle();
    expect(client.kinds.filter((kind) => kind === "pong").length).toBe(1026);
  });

  it("answers a ping whatever its id, also that of a request that waits", async () => {
    await using server = await startTestServer();
    const client = await server.join("alice");
    const refresh = { case: "refresh" as const, value: { token: tokenFor("alice") } };
    client.send({ id: 5, kind: refresh }, { id: 5, kind: { case: "ping", value: { sentAtUs: 77n } } });
    const pong = await client.next(({ id, kind }) => id === 5 && kind.case === "pong", "pong");
    expect(pong.kind.value).toMatchObject({ pingSentAtUs: 77n });
    expectResult(await client.reply(5), "refreshed");
  });

  it("refuses the id of a request that waits, and as many waiting requests as configured", async () => {
    await using server = await startTestServer({ limits: { maxPendingRequests: 2 } });
    const client = await server.join("alice");
    const kind = { case: "refresh" as const, value: { token: tokenFor("alice") } };
    client.send({ id: 1, kind }, { id: 1, kind });
    expect(expectResult(await client.reply(1), "error")).toMatchObject({
      code: ErrorCode.INVALID_ARGUMENT,
      field: "id",
    });
    expectResult(await client.reply(1), "refreshed");
    client.send({ id: 1, kind }, { id: 2, kind }, { id: 3, kind });
    expect(expectResult(await client.reply(3), "error").code).toBe(ErrorCode.LIMIT_EXCEEDED);
    expectResult(await client.reply(1), "refreshed");
    expectResult(await client.reply(2), "refreshed");
    client.send({ id: 1, kind });
    expectResult(await client.reply(1), "refreshed");
  });

  it("never answers an rpc_result by a reply, which would be taken for that of a request with its id", async () => {
    await using server = await startTestServer();
    const plain = await server.join("alice");
    plain.send({ id: 1, kind: { case: "rpcResult", value: { result: { case: "payload", value: {} } } } });
    const claiming = await server.join("alice", { hello: { features: ["server_rpc"] } });
    claiming.send({ id: 1, kind: { case: "rpcResult", value: {} } });
    for (const client of [plain, claiming]) await client.settle();
    expect(errorFrames(plain)).toEqual([{ id: 0, code: "UNIMPLEMENTED", field: "" }]);
    expect(errorFrames(claiming)).toEqual([{ id: 0, code: "INVALID_ARGUMENT", field: "rpc_result.result" }]);
    expect([...plain.kinds, ...claiming.kinds]).not.toContain("reply");
  });
});

describe("limits of what a client sends", () => {
  it("answers requests past the rate with RATE_LIMITED, and closes at a second of debt", async () => {
    await using server = await startTestServer({ limits: { framesPerSecond: 20 } });
    const client = await server.join("alice");
    const pings = (count: number) =>
      Array.from({ length: count }, (_, i) => ({ id: i + 1, kind: { case: "unsubscribe" as const, value: {} } }));
    client.send(...pings(25));
    const error = expectResult(await client.reply(25), "error");
    expect(error.code).toBe(ErrorCode.RATE_LIMITED);
    expect(error.retryAfterMs).toBeGreaterThan(0);
    client.send(...pings(25));
    expect((await client.ended()).code).toBe(CloseCode.RATE_LIMITED);
  });

  it("lets a client in debt still say disconnect", async () => {
    await using server = await startTestServer({ limits: { framesPerSecond: 20 } });
    const client = await server.join("alice", { hello: { features: ["resume"] } });
    client.send(...Array.from({ length: 25 }, () => ({})), { kind: { case: "disconnect", value: {} } });
    expect((await client.ended()).code).toBe(CloseCode.DISCONNECTED);
  });

  it("closes a client that floods with bytes, empty messages, refused messages or WebSocket pings", async () => {
    const floods: [name: string, limits: object, send: (client: TestClient) => void][] = [
      [
        "bytes",
        { bytesPerSecond: 1024, maxFrameBytes: 1024, maxPayloadBytes: 1024 },
        (client) => client.sendRaw(Buffer.concat([Uint8Array.of(0x0a, 0x82, 0x07), new Uint8Array(898).fill(0)])),
      ],
      ["empty messages", { framesPerSecond: 20 }, (client) => client.send()],
      ["refused messages", { framesPerSecond: 2000 }, (client) => client.send(...new Array(1025).fill({}))],
      ["WebSocket pings", { framesPerSecond: 20 }, (client) => client.sendControlPing()],
    ];
    for (const [name, limits, flood] of floods) {
      await using server = await startTestServer({ limits });
      const client = await server.join("alice");
      if (name === "bytes") {
        const frame = { kind: { case: "pong" as const, value: {} } };
        for (let i = 0; i < 6; i++) client.send(...Array.from({ length: 200 }, () => frame));
      } else for (let i = 0; i < 60; i++) flood(client);
      expect((await client.ended()).code, name).toBe(CloseCode.RATE_LIMITED);
    }
  });
});
