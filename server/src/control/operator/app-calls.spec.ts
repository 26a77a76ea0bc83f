import { createHash, generateKeyPairSync } from "node:crypto";
import { inspect } from "node:util";
import { create } from "@bufbuild/protobuf";
import { createClient, createContextValues, type HandlerContext } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { Access, AppSchema, Scope, TokenAlgorithm } from "@fanfare/proto/config/v1";
import { AppSource, OperatorService } from "@fanfare/proto/control/v1";
import { CloseCode, DeliveryClass, ErrorCode, SubscriptionCloseReason } from "@fanfare/proto/v1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FanfareError } from "../../fanfare-error.ts";
import { createLog, silentLog } from "../../observe/log.ts";
import type { InitOf } from "../../testing/test-client.ts";
import {
  apiKeyOf,
  newApp,
  operatorKey,
  secretOf,
  startTestServer,
  type TestServer,
  tokenFor,
} from "../../testing/test-server.ts";
import { authorize, ControlFixture, masterKey, refusalNames, refusalOf } from "../testing/control-fixture.ts";
import { appCalls } from "./app-calls.ts";
import type { OperatorNode } from "./operator-context.ts";

const sha256 = (key: string) => createHash("sha256").update(key).digest("hex");
const pem = (type: "spki" | "pkcs8") => {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  return (type === "spki" ? publicKey : privateKey).export({ type, format: "pem" } as never) as string;
};
const keyOf = (value: string) => ({
  id: "k",
  algorithm: TokenAlgorithm.EDDSA,
  material: { case: "publicKeyPem" as const, value },
});

describe("the operator API", () => {
  const logged: string[] = [];
  let server: TestServer;
  let count = 0;
  beforeAll(async () => {
    const sink = (entry: unknown) => logged.push(JSON.stringify(entry));
    const log = createLog({ level: "debug", nowMs: Date.now, sink });
    server = await startTestServer({ log, environment: { GAME_KEY: "of the environment, and long enough" } });
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const fresh = () => `app-${++count}`;

  it("names in the log whose key has put and deleted an app", async () => {
    const id = fresh();
    await server.operator().putApp({ app: newApp(id) });
    await server.operator().deleteApp({ id });
    const told = logged
      .map((entry) => JSON.parse(entry))
      .filter(({ message }) => message.startsWith("an operator has"));
    expect(told.map(({ message, fields }) => ({ message, ...fields }))).toEqual([
      { message: "an operator has put an app", app: id, key: "operator" },
      { message: "an operator has deleted an app", app: id, key: "operator" },
    ]);
  });

  it("is for operators alone, and says what to do", async () => {
    for (const key of ["wrong", " ", "x".repeat(5_000)]) {
      expect(await refusalNames(server.operator(key).listApps({}))).toBe("Unauthenticated UNAUTHENTICATED");
    }
    const ofApp = await refusalOf(server.operator(apiKeyOf("a")).putApp({ app: newApp(fresh()) }));
    expect(ofApp.error?.message).toMatch(/needs an operator key, and this is the API key of an app/);
    expect(await refusalNames(server.operator(apiKeyOf("a")).deleteApp({ id: "a" }))).toBe(
      "PermissionDenied PERMISSION_DENIED",
    );
    const response = await fetch(`${server.server.url}/fanfare.control.v1.OperatorService/ListApps`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    expect(response.status).toBe(401);
    // The other way round: an operator has no app, and nodes are of none.
    const url = `${server.server.url}/fanfare.control.v1.ControlService`;
    const headers = { "content-type": "application/json", authorization: `Bearer ${operatorKey}` };
    const statusOf = async (method: string) =>
      (await fetch(`${url}/${method}`, { method: "POST", headers, body: "{}" })).status;
    expect(await Promise.all(["ListSessions", "ListNodes"].map(statusOf))).toEqual([403, 200]);
  });

  it("is closed to everybody where no operator key is configured", async () => {
    await using fixture = await ControlFixture.start();
    for (const key of ["", "wrong", masterKey("game")]) {
      const baseUrl = fixture.server.url;
      const transport = createConnectTransport({ baseUrl, httpVersion: "1.1", interceptors: [authorize(key)] });
      const { error } = await refusalOf(createClient(OperatorService, transport).putApp({ app: { id: "x" } }));
      expect(error?.message).toMatch(/none is configured: add one to operator_keys/);
    }
  });

  it("shows where apps come from, page by page, and never a secret or a hash", async () => {
    const id = fresh();
    const apiKeys = [{ id: "backend", sha256: sha256("weak"), scopes: [Scope.READ] }];
    await server.operator().putApp({ app: newApp(id, { apiKeys }) });
    const pages = [];
    for (let pageToken = ""; ; ) {
      const page = await server.operator().listApps({ pageSize: 1, pageToken });
      pages.push(...page.apps);
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }
    expect(pages.map(({ app, source }) => [app?.id, source])).toEqual(
      [
        ["a", AppSource.CONFIGURATION],
        [id, AppSource.RUN_TIME],
        ["b", AppSource.CONFIGURATION],
      ].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
    );
    const put = pages.find(({ app }) => app?.id === id)?.app;
    expect(put?.playerAuth?.keys[0]?.material).toEqual({ case: "secret", value: "" });
    expect(put?.apiKeys).toMatchObject([{ id: "backend", sha256: "", scopes: [Scope.READ] }]);
    const shown = inspect(pages, { depth: 20 });
    for (const secret of [secretOf(id), secretOf("a"), sha256("weak"), sha256(apiKeyOf("a")), sha256(operatorKey)]) {
      expect(shown).not.toContain(secret);
    }
    await server.operator().deleteApp({ id });
  });

  const wrong: [name: string, change: InitOf<typeof AppSchema>, expected: string][] = [
    ["no id", { id: "" }, "InvalidArgument INVALID_ARGUMENT app.id"],
    ["an id that is no name", { id: "a/b" }, "InvalidArgument INVALID_ARGUMENT app.id"],
    ["an id that would break its keys", { id: "a}b" }, "InvalidArgument INVALID_ARGUMENT app.id"],
    ["an app of the configuration", { id: "a" }, "FailedPrecondition FAILED_PRECONDITION app.id"],
    ["no way to verify players", { playerAuth: {} }, "InvalidArgument INVALID_ARGUMENT app.player_auth"],
    [
      "the API key of another app",
      { apiKeys: [{ id: "k", sha256: sha256(apiKeyOf("b")).toUpperCase() }] },
      "InvalidArgument INVALID_ARGUMENT app.api_keys[0].sha256",
    ],
    [
      "an operator's key",
      { apiKeys: [{ id: "k", sha256: sha256(operatorKey) }] },
      "InvalidArgument INVALID_ARGUMENT app.api_keys[0].sha256",
    ],
    [
      "a private key",
      { playerAuth: { keys: [keyOf(pem("pkcs8"))] } },
      "InvalidArgument INVALID_ARGUMENT app.player_auth.keys[0].public_key_pem",
    ],
    [
      "a variable that is not set",
      { playerAuth: { keys: [{ algorithm: 1, material: { case: "environment", value: "NOT_SET" } }] } },
      "InvalidArgument INVALID_ARGUMENT app.player_auth.keys[0].environment",
    ],
    [
      "keys from an address in plain text",
      { playerAuth: { jwksUrl: "http://keys.example/" } },
      "InvalidArgument INVALID_ARGUMENT app.player_auth.jwks_url",
    ],
    [
      "an origin that is none",
      { allowedOrigins: ["game.example"] },
      "InvalidArgument INVALID_ARGUMENT app.allowed_origins[0]",
    ],
    [
      "rules that contradict each other",
      { namespaces: [{ name: "n", rules: { maxPayloadBytes: 1_000_000 } }] },
      "InvalidArgument INVALID_ARGUMENT app.namespaces[0].rules.max_payload_bytes",
    ],
    [
      "one that is too large",
      {
        namespaces: Array.from({ length: 1000 }, (_, i) => ({
          name: `${i}`.padStart(64, "n"),
          rules: { publish: Access.ANYONE },
        })),
      },
      "ResourceExhausted TOO_LARGE app",
    ],
  ];

  it.each(wrong)("refuses %s, and names the field", async (_, change, expected) => {
    const before = (await server.operator().listApps({})).apps.length;
    expect(await refusalNames(server.operator().putApp({ app: { ...newApp(fresh()), ...change } }))).toBe(expected);
    expect((await server.operator().listApps({})).apps.length).toBe(before);
  });

  it("refuses a request without an app, and bytes that are none", async () => {
    expect(await refusalNames(server.operator().putApp({}))).toBe("InvalidArgument INVALID_ARGUMENT app");
    const url = `${server.server.url}/fanfare.control.v1.OperatorService/PutApp`;
    const headers = { "content-type": "application/proto", authorization: `Bearer ${operatorKey}` };
    expect((await fetch(url, { method: "POST", headers, body: "\x0a\xff\xff\xff" })).ok).toBe(false);
    const json = { ...headers, "content-type": "application/json" };
    expect((await fetch(url, { method: "POST", headers: json, body: '{"app": 5}' })).status).toBe(400);
    const huge = new Uint8Array(1024 * 1024);
    expect((await fetch(url, { method: "POST", headers, body: huge })).status).toBe(429);
  });

  it("refuses to delete an app of the configuration, and says what to do; deleting none is no error", async () => {
    const { error } = await refusalOf(server.operator().deleteApp({ id: "b" }));
    expect(error?.message).toMatch(/in the configuration file; take it out there and restart/);
    expect((await server.operator().deleteApp({ id: "nobody" })).changed).toBe(false);
    expect(server.hub("b").appId).toBe("b");
  });

  it("verifies tokens by the new keys from then on, also such as are in the environment", async () => {
    const id = fresh();
    const environment = {
      id: "k",
      algorithm: TokenAlgorithm.HS256,
      material: { case: "environment" as const, value: "GAME_KEY" },
    };
    await server.operator().putApp({ app: newApp(id) });
    const player = await server.join("stays", { app: id });
    await server.operator().putApp({ app: newApp(id, { playerAuth: { keys: [environment] } }) });
    const late = await server.dial();
    late.sayHello({ token: tokenFor("late", { app: id }) });
    expect((await late.ended()).code).toBe(CloseCode.UNAUTHENTICATED);
    expect(
      (await server.operator().listApps({})).apps.find(({ app }) => app?.id === id)?.app?.playerAuth?.keys,
    ).toMatchObject([{ material: { case: "environment", value: "GAME_KEY" } }]);
    await player.settle();
    expect(player.closedWith).toBeUndefined();
    await server.operator().deleteApp({ id });
  });

  it("changes origins for who connects from then on", async () => {
    const id = fresh();
    const origin = "https://game.example";
    await server.operator().putApp({ app: newApp(id) });
    const refused = await server.dial({ headers: { origin } });
    refused.sayHello({ token: tokenFor("p", { app: id }) });
    expect((await refused.ended()).code).toBe(CloseCode.ORIGIN_REFUSED);
    await server.operator().putApp({ app: newApp(id, { allowedOrigins: [origin] }) });
    await server.join("p", { app: id, headers: { origin } });
    await server.operator().deleteApp({ id });
  });

  it("keeps above a new definition what the app's backend has put, and takes it over where nothing was", async () => {
    const id = fresh();
    const names = async () => (await server.control(id).listNamespaces({})).namespaces.map(({ name }) => name);
    const put = (...namespaces: string[]) =>
      server.operator().putApp({ app: newApp(id, { namespaces: namespaces.map((name) => ({ name, rules: {} })) }) });
    await put("one", "two");
    await server.control(id).deleteNamespace({ name: "one" });
    await server.control(id).putNamespace({ namespace: { name: "extra", rules: { subscribe: Access.ANYONE } } });
    await put("one", "three");
    expect(await names()).toEqual(["extra", "three"]);
    await put("one", "extra");
    const { namespaces } = await server.control(id).listNamespaces({});
    expect(namespaces.map(({ name, rules }) => [name, rules?.subscribe])).toEqual([["extra", Access.ANYONE]]);
    await server.operator().deleteApp({ id });
  });

  it("ends subscriptions of a channel whose delivery class changes, and opens again what a session is owed", async () => {
    const id = fresh();
    await server.operator().putApp({ app: newApp(id) });
    const [reader, writer] = [
      await server.join("reader", { app: id, hello: { features: ["durable"] } }),
      await server.join("writer", { app: id }),
    ];
    await reader.subscribe("lobby");
    const durable = { deliveryClass: DeliveryClass.DURABLE, publish: Access.ANYONE } as const;
    const namespaces = [{ name: "default", rules: { ...durable, subscribe: Access.ANYONE } }];
    await server.operator().putApp({ app: newApp(id, { namespaces, playerRules: durable }) });
    const closed = await reader.frame(
      "subscription",
      ({ channel, event }) => event.case === "closed" && channel?.kind.case === "group",
    );
    expect(closed.event.value).toMatchObject({ reason: SubscriptionCloseReason.FAILED });
    const opened = await reader.frame(
      "subscription",
      ({ channel, event }) => event.case === "opened" && channel?.kind.case === "player",
    );
    expect(opened.event.value).toMatchObject({ deliveryClass: DeliveryClass.DURABLE });
    await reader.subscribe("lobby");
    await writer.publish("lobby", "stored");
    await writer.publish({ case: "player", value: "reader" }, "to you");
    await reader.received(2);
    expect(reader.texts.toSorted()).toEqual(["stored", "to you"]);
    await server.operator().deleteApp({ id });
  });

  it("closes everybody when an app is deleted: detached sessions, event streams and handshakes under way", async () => {
    const id = fresh();
    await server.operator().putApp({ app: newApp(id) });
    const sessions = server.counters.sessions;
    const [here, gone] = [
      await server.join("here", { app: id }),
      await server.join("gone", { app: id, hello: { features: ["resume"] } }),
    ];
    const { sessionId, resumeSecret } = gone.welcome!;
    gone.cut();
    const events = server.control(id).watchEvents({})[Symbol.asyncIterator]();
    await events.next();
    const arriving = await server.dial();
    arriving.sayHello({ token: tokenFor("arriving", { app: id }) });
    const deleted = server.operator().deleteApp({ id });
    expect((await arriving.ended()).code).toSatisfy((code) =>
      [CloseCode.UNAUTHENTICATED, CloseCode.PERMISSION_DENIED].includes(code),
    );
    expect(await deleted).toMatchObject({ changed: true });
    expect((await here.ended()).code).toBe(CloseCode.PERMISSION_DENIED);
    for (;;) if ((await events.next()).done) break;
    expect([server.counters.sessions, server.counters.sessionsDetached]).toEqual([sessions, 0]);
    // The same id again is another app: what was there is no more.
    await server.operator().putApp({ app: newApp(id) });
    const back = await server.join("gone", {
      app: id,
      hello: { features: ["resume"], attempt: 2, resume: { sessionId, secret: resumeSecret } },
    });
    expect(back.welcome?.resumed).toBe(false);
    await server.operator().deleteApp({ id });
  });

  it("has told no secret to its log", () => {
    const all = logged.join("\n");
    expect(all).toContain("an app was put");
    for (let i = 1; i <= count; i++) expect(all).not.toContain(secretOf(`app-${i}`));
    expect(all).not.toContain(operatorKey);
  });
});

/** A node whose cluster a test is. */
class Fake {
  isMember = true;
  /** What it can read of the settings, of which the newest version is 5. */
  readable = 5;
  readonly stored: string[] = [];

  readonly calls = appCalls({
    config: { nodeId: "self" },
    log: silentLog,
    appTable: { check() {}, putBefore: () => undefined, isConfigured: () => false },
    settings: this.#settings(),
    cluster: {
      nodes: { peers: new Map() },
      broker: { settings: { putApp: async (id: string) => this.stored.push(id) && 5 } },
      requireMember: () => {
        if (!this.isMember) throw new FanfareError(ErrorCode.UNAVAILABLE, "not in its cluster");
      },
    },
  } as unknown as OperatorNode);

  async put() {
    const context = { values: createContextValues() } as HandlerContext;
    return await this.calls.putApp({ app: create(AppSchema, { id: "game" }) } as never, context);
  }

  #settings() {
    const of = () => this.readable;
    return {
      refresh: async () => 4,
      atLeast: async () => {},
      get version() {
        return of();
      },
    };
  }
}

describe("an app that is put in a cluster", () => {
  it("is confirmed by the node that was asked, too", async () => {
    const fake = new Fake();
    expect(await fake.put()).toEqual({ created: true, unconfirmedNodes: [] });
    fake.readable = 4;
    expect(await fake.put()).toMatchObject({
      unconfirmedNodes: [{ nodeId: "self", reason: expect.stringContaining("cannot read the settings") }],
    });
  });

  it("is not put by a node that does not know which others there are", async () => {
    const fake = new Fake();
    fake.isMember = false;
    await expect(fake.put()).rejects.toThrow("not in its cluster");
    expect(fake.stored).toEqual([]);
  });
});
