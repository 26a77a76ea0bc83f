import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Access, TokenAlgorithm } from "@fanfare/proto/config/v1";
import { decodeJwt, decodeProtectedHeader, exportPKCS8, generateKeyPair, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { channelFor, createControlClient, createOperatorClient, payloadFor } from "./control.ts";
import { DeliveryClass, ErrorCode, FanfareError, json, Outcome, text } from "./index.ts";
import { Game, nextStatus } from "./testing/game.ts";
import { mintToken } from "./token.ts";

describe("the control client", () => {
  let game: Game;
  beforeAll(async () => {
    game = await Game.start();
  });
  afterAll(() => game[Symbol.asyncDispose]());

  it("publishes what clients read by the same payload type", async () => {
    const Score = json<{ points: number }>("score");
    const alice = await game.join("alice");
    const received = alice.player.messages(Score);
    const { results } = await game.control().publish({
      publications: [
        {
          channels: [channelFor({ player: "alice" }), channelFor({ player: "nobody" })],
          payload: payloadFor(Score, { points: 3 }),
        },
      ],
    });
    expect(results[0]?.results.map(({ outcome }) => outcome)).toEqual([Outcome.DELIVERED, Outcome.OFFLINE]);
    const { value } = await received.next();
    expect(value).toMatchObject({ value: { points: 3 }, meta: { from: "" } });
  });

  it("calls a player's handler, and gets its errors", async () => {
    const alice = await game.join("caller");
    alice.handle("greet", { request: text(), response: text() }, (name) => {
      if (name === "") throw new FanfareError(ErrorCode.REJECTED, "no name");
      return `hello ${name}`;
    });
    const call = async (value: string, method = "greet") => {
      const rpc = { method, payload: payloadFor(text(), value) };
      const { result } = await game.control().callPlayer({ playerId: "caller", rpc });
      return result?.result;
    };
    expect(await call("Bob")).toMatchObject({ case: "payload", value: { data: { case: "text", value: "hello Bob" } } });
    expect(await call("")).toMatchObject({ case: "error", value: { code: ErrorCode.REJECTED, message: "no name" } });
    expect(await call("x", "unknown")).toMatchObject({ case: "error", value: { code: ErrorCode.UNKNOWN_METHOD } });
  });

  it("makes and ends memberships, and throws players out for good", async () => {
    const alice = await game.join("member");
    const opened = nextStatus(alice, "channel-opened");
    await game.control().joinGroup({ group: "members:x", playerId: "member" });
    expect((await opened).channel.target).toEqual({ group: "members:x" });
    const closed = nextStatus(alice, "channel-closed");
    await game.control().leaveGroup({ group: "members:x", playerId: "member" });
    await closed;
    const over = nextStatus(alice, "closed");
    await game.control().disconnect({ target: { case: "playerId", value: "member" }, reason: "cheating" });
    expect(await over).toMatchObject({ error: { closeCode: 4007, code: ErrorCode.SESSION_ENDED } });
  });

  it("watches events until it is told to stop", async () => {
    const controller = new AbortController();
    const events = game.control().watchEvents({ playerId: "watched" }, { signal: controller.signal });
    const kinds: (string | undefined)[] = [];
    const watching = (async () => {
      for await (const { event } of events) {
        kinds.push(event?.event.case);
        if (kinds.length === 1) await game.join("watched");
        if (event?.event.case === "sessionOpened") controller.abort();
      }
    })();
    await expect(watching).rejects.toMatchObject({ name: "FanfareError", code: ErrorCode.CANCELLED });
    expect(kinds.slice(0, 2)).toEqual([undefined, "sessionOpened"]);
  });

  it("rejects with the server's own error", async () => {
    const stranger = createControlClient({ url: game.url, apiKey: "wrong" });
    await expect(stranger.listNodes({})).rejects.toMatchObject({
      name: "FanfareError",
      code: ErrorCode.UNAUTHENTICATED,
    });
    const invalid = game.control().publish({ publications: [{ channels: [{}] }] });
    await expect(invalid).rejects.toMatchObject({
      code: ErrorCode.INVALID_ARGUMENT,
      field: "publications[0].channels[0].kind",
    });
  });

  it("rejects with what the network or something in between did", async () => {
    const server = createServer((_request, response) => response.writeHead(503).end("busy"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const client = createControlClient({ url, apiKey: "key" });
    await expect(client.listNodes({})).rejects.toMatchObject({ code: ErrorCode.UNAVAILABLE, retryable: true });
    await new Promise((resolve) => server.close(resolve));
    await expect(client.listNodes({})).rejects.toMatchObject({ code: ErrorCode.UNAVAILABLE });
    await expect(client.listNodes({}, { timeoutMs: 1, signal: AbortSignal.abort() })).rejects.toBeInstanceOf(
      FanfareError,
    );
  });

  it("adds an app that players connect to at once, and deletes it under them", async () => {
    const operator = createOperatorClient({ url: game.url, operatorKey: game.operatorKey });
    const key = "a secret of the late game, for tests only";
    const playerAuth = {
      // Tokens that name no key are of this one: there is but one.
      keys: [{ id: "main", algorithm: TokenAlgorithm.HS256, material: { case: "secret" as const, value: key } }],
    };
    expect(await operator.putApp({ app: { id: "late", playerAuth } })).toMatchObject({ created: true });
    const alice = await game.join("alice", {
      getToken: async () => (await mintToken({ app: "late", player: "alice", key })).token,
    });
    // A group whose delivery class changes is subscribed again by the SDK.
    const rules = { subscribe: Access.ANYONE, publish: Access.ANYONE };
    const redefine = (more: object = {}) =>
      operator.putApp({
        app: { id: "late", playerAuth, namespaces: [{ name: "default", rules: { ...rules, ...more } }] },
      });
    await redefine();
    const lobby = await alice.join("lobby");
    const got: string[] = [];
    lobby.on(text(), (value) => got.push(value));
    await redefine({ deliveryClass: DeliveryClass.DURABLE });
    while (!got.includes("stored")) await lobby.publish(text(), "stored", { report: true });
    expect((await operator.listApps({})).apps.map(({ app }) => app?.id)).toEqual(["dev", "late"]);
    const over = nextStatus(alice, "closed");
    expect(await operator.deleteApp({ id: "late" })).toMatchObject({ changed: true });
    expect(await over).toMatchObject({ error: { closeCode: 4005, code: ErrorCode.PERMISSION_DENIED } });
    await expect(operator.deleteApp({ id: "dev" })).rejects.toMatchObject({
      code: ErrorCode.FAILED_PRECONDITION,
      field: "id",
    });
    const stranger = createOperatorClient({ url: game.url, operatorKey: game.apiKey });
    await expect(stranger.listApps({})).rejects.toMatchObject({ code: ErrorCode.PERMISSION_DENIED });
    expect(() => createOperatorClient({ url: game.url, operatorKey: "a\nb" })).toThrow(
      expect.objectContaining({ field: "operatorKey" }),
    );
  });

  it("refuses addresses and keys that are none", () => {
    expect(() => createControlClient({ url: "nonsense", apiKey: "k" })).toThrow(
      expect.objectContaining({ field: "url" }),
    );
    expect(() => createControlClient({ url: "http://x", apiKey: "a\nb" })).toThrow(
      expect.objectContaining({ field: "apiKey" }),
    );
  });
});

describe("mintToken", () => {
  it("makes the claims that servers read", async () => {
    const { token, expiresAtMs } = await mintToken({
      app: "game",
      player: "alice",
      key: "secret",
      keyId: "k1",
      lifetimeMs: 1500,
      nowMs: 10_000_999,
      groups: ["guild:1"],
      capabilities: ["publish:chat:*"],
    });
    expect(decodeProtectedHeader(token)).toEqual({ alg: "HS256", typ: "JWT", kid: "k1" });
    expect(decodeJwt(token)).toEqual({
      app: "game",
      sub: "alice",
      iat: 10_000,
      exp: 10_002,
      groups: ["guild:1"],
      caps: ["publish:chat:*"],
    });
    expect(expiresAtMs).toBe(10_002_000);
  });

  it("signs with private keys as PEM and as objects", async () => {
    for (const algorithm of ["RS256", "ES256", "EdDSA"] as const) {
      const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
      for (const key of [await exportPKCS8(privateKey), privateKey]) {
        const { token } = await mintToken({ app: "game", player: "alice", key, algorithm });
        expect((await jwtVerify(token, publicKey)).payload.sub).toBe("alice");
      }
    }
  });

  it("refuses what makes no token", async () => {
    const base = { app: "game", player: "alice", key: "secret" };
    await expect(mintToken({ ...base, player: "" })).rejects.toMatchObject({ field: "player" });
    await expect(mintToken({ ...base, lifetimeMs: 0 })).rejects.toMatchObject({ field: "lifetimeMs" });
    await expect(mintToken({ ...base, algorithm: "ES256" })).rejects.toMatchObject({
      code: ErrorCode.INVALID_ARGUMENT,
      field: "key",
    });
  });
});
