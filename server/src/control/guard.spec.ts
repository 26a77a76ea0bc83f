import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, type ConnectRouter, createClient, createRouterTransport, type Interceptor } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-node";
import { Scope } from "@fanfare/proto/config/v1";
import { ControlService, PublishRequestSchema } from "@fanfare/proto/control/v1";
import { ErrorCode } from "@fanfare/proto/v1";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { FanfareError } from "../fanfare-error.ts";
import { createLog, type LogEntry, silentLog } from "../observe/log.ts";
import type { Cluster } from "../router/cluster/cluster.ts";
import { callerKey } from "./caller-context.ts";
import { guard } from "./guard.ts";
import { methodScopes } from "./method-scopes.ts";
import {
  authorize,
  ControlFixture,
  group,
  keyWith,
  masterKey,
  refusalNames,
  refusalOf,
  testConfig,
  text,
} from "./testing/control-fixture.ts";

const logged: LogEntry[] = [];
let fixture: ControlFixture;
beforeAll(async () => {
  const log = createLog({ level: "debug", nowMs: Date.now, sink: (entry) => logged.push(entry) });
  fixture = await ControlFixture.start(testConfig(), log);
});
afterAll(() => fixture[Symbol.asyncDispose]());

const path = (method: string) => `${fixture.server.url}/fanfare.control.v1.ControlService/${method}`;

function post(method: string, body: string | Uint8Array, headers: Record<string, string> = {}): Promise<Response> {
  const authorization = `Bearer ${masterKey("game")}`;
  const init = { "content-type": "application/json", authorization, ...headers };
  return fetch(path(method), { method: "POST", body, headers: init } as RequestInit);
}

describe("the guard of the control API", () => {
  it("refuses calls without a known key, with details", async () => {
    for (const key of ["", "wrong", masterKey("nobody")]) {
      const refusal = await refusalOf(fixture.client(key).listNodes({}));
      expect(refusal).toMatchObject({ code: Code.Unauthenticated, error: { code: ErrorCode.UNAUTHENTICATED } });
    }
    const response = await post("ListNodes", "{}", { authorization: "" });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ code: "unauthenticated", details: [{ type: expect.any(String) }] });
  });

  it("refuses every method to a key of any other scope, naming the one it lacks", async () => {
    for (const method of ControlService.methods) {
      const needed = methodScopes[method.localName as keyof typeof methodScopes];
      const other = needed === Scope.READ ? Scope.PUBLISH : Scope.READ;
      const response =
        method.methodKind === "server_streaming"
          ? refusalNames(fixture.client(keyWith(other)).watchEvents({})[Symbol.asyncIterator]().next())
          : post(method.name, "{}", { authorization: `Bearer ${keyWith(other)}` }).then((it) => it.status);
      expect(await response, method.name).toEqual(
        method.methodKind === "server_streaming" ? "PermissionDenied PERMISSION_DENIED" : 403,
      );
    }
    const { error } = await refusalOf(fixture.client(keyWith(Scope.READ)).publish({}));
    expect(error?.message).toBe('the API key "only-2" lacks SCOPE_PUBLISH, which Publish needs');
  });

  it("lets the scope in that a method needs", async () => {
    expect((await fixture.client(keyWith(Scope.READ)).listNodes({})).nodes).toHaveLength(1);
    expect(await refusalNames(fixture.client(keyWith(Scope.ADMIN)).drain({ nodeId: "x" }))).toBe(
      "NotFound NOT_FOUND node_id",
    );
  });

  it("names the field that breaks a bound", async () => {
    const client = fixture.client();
    expect(await refusalNames(client.joinGroup({ playerId: "a b", group: "chat:a" }))).toBe(
      "InvalidArgument INVALID_ARGUMENT player_id",
    );
    const publications = [{ channels: [group("chat:a"), group("chat a")] }];
    expect(await refusalNames(client.publish({ publications }))).toBe(
      "InvalidArgument INVALID_ARGUMENT publications[0].channels[1].group",
    );
    expect(await refusalNames(client.publish({}))).toBe("InvalidArgument INVALID_ARGUMENT publications");
    const stream = client.watchEvents({ group: "a b" })[Symbol.asyncIterator]();
    expect(await refusalNames(stream.next())).toBe("InvalidArgument INVALID_ARGUMENT group");
  });

  it("takes 4 MiB and no more, compressed or not", async () => {
    const client = fixture.client();
    const publish = (length: number) =>
      client.publish({ publications: [{ channels: [group("chat:a")], payload: text("x".repeat(length)) }] });
    expect((await publish(1_000_000)).results[0]?.results[0]?.error?.code).toBe(ErrorCode.TOO_LARGE);
    expect((await refusalOf(publish(4 * 1024 * 1024))).code).toBe(Code.ResourceExhausted);
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, 0x20));
    expect(bomb.length).toBeLessThan(100_000);
    const response = await post("Publish", bomb, { "content-encoding": "gzip" });
    expect(await response.json()).toMatchObject({ code: "resource_exhausted" });
  });

  it("reads little of what a stranger sends", async () => {
    const body = JSON.stringify({ nodeId: "x".repeat(20_000) });
    const response = await post("ListNodes", body, { authorization: "Bearer nobody" });
    expect(await response.json()).toMatchObject({ code: "resource_exhausted" });
  });

  it("answers bytes that are no request with an error, and lives", async () => {
    const bodies = [
      "{",
      "[]",
      "null",
      "\u0000\u0001",
      '{"publications": 5}',
      '{"publications":[{"channels":[{"group":1}]}]}',
    ];
    for (const body of bodies) expect((await post("Publish", body)).status, body).toBe(400);
    const binary = await post("Publish", new Uint8Array([255, 255, 255]), { "content-type": "application/proto" });
    expect(await binary.json()).toMatchObject({ code: "internal" }); // the Connect library's own choice
    expect((await post("Publish", "{}", { "content-type": "text/plain" })).status).toBe(415);
    expect((await fetch(path("Publish"))).status).toBe(405);
    expect((await post("NoSuchMethod", "{}")).status).toBe(404);
    expect((await fixture.client().listNodes({})).nodes).toHaveLength(1);
  });

  it("keeps apps apart", async () => {
    await using one = await ControlFixture.start();
    await one.player("ann");
    const other = one.client(masterKey("other"));
    expect((await other.listSessions({})).sessions).toEqual([]);
    expect((await other.disconnect({ target: { case: "playerId", value: "ann" } })).sessions).toBe(0);
    const [session] = (await one.client().listSessions({})).sessions;
    expect((await other.disconnect({ target: { case: "sessionId", value: session?.sessionId ?? "" } })).sessions).toBe(
      0,
    );
    await other.ban({ playerId: "ann" });
    expect((await one.client().unban({ playerId: "ann" })).changed).toBe(false);
    const [result] = (
      await other.publish({ publications: [{ channels: [{ kind: { case: "player", value: "ann" } }] }] })
    ).results;
    expect(result?.results[0]?.outcome).toBe(3);
  });

  it("gives nothing away of its own faults, and logs them", async () => {
    const { hub } = fixture.server.node.apps.get("game")!;
    const fault = vi.spyOn(hub.memberships, "groupsOf").mockImplementation(() => {
      throw new TypeError("the password is 1234");
    });
    const { code, error } = await refusalOf(fixture.client().listMemberships({ playerId: "ann" }));
    fault.mockRestore();
    expect(code).toBe(Code.Internal);
    expect(error?.message).not.toContain("1234");
    const entry = logged.find(({ level }) => level === "error");
    expect(entry).toMatchObject({ fields: { method: "ListMemberships", app: "game", key: "master" } });
    expect(entry?.fields.cause).toMatchObject({ message: "the password is 1234" });
  });

  it("logs no key and no payload", async () => {
    await fixture
      .client("wrong-key")
      .listNodes({})
      .catch(() => {});
    await fixture.client().publish({ publications: [{ channels: [group("no:a")], payload: text("hush") }] });
    expect(logged.length).toBeGreaterThan(0);
    const everything = JSON.stringify(logged, (_, value) => (typeof value === "bigint" ? `${value}` : value));
    for (const secret of ["wrong-key", "hush", masterKey("game")]) expect(everything).not.toContain(secret);
  });

  it("answers gRPC-Web too, errors with their details", async () => {
    const transport = (key: string) =>
      createGrpcWebTransport({ baseUrl: fixture.server.url, httpVersion: "1.1", interceptors: [authorize(key)] });
    const client = fixture.client("", transport(masterKey("game")));
    expect((await client.listNodes({})).nodes[0]?.nodeId).toBe("n1");
    const stranger = fixture.client("", transport("nobody"));
    expect(await refusalNames(stranger.listNodes({}))).toBe("Unauthenticated UNAUTHENTICATED");
  });

  it("answers a binary request by plain HTTP", async () => {
    const request = create(PublishRequestSchema, { publications: [{ channels: [group("chat:a")] }] });
    const headers = { "content-type": "application/proto" };
    expect((await post("Publish", toBinary(PublishRequestSchema, request), headers)).status).toBe(200);
  });

  it("carries out nothing that concerns others while its node is not in its cluster", async () => {
    let isMember = false;
    const caller = { appId: "game", keyId: "k", scopes: new Set(Object.values(methodScopes)) };
    const known: Interceptor = (next) => (request) => {
      request.contextValues.set(callerKey, caller);
      return next(request);
    };
    const requireMember = () => {
      if (!isMember) throw new FanfareError(ErrorCode.UNAVAILABLE, "out of it");
    };
    const cluster = { requireMember } as Cluster;
    const member = guard({ log: silentLog, cluster, appTable: { areTenants: false } });
    const handlers = { listNodes: () => ({}), publish: () => ({}) };
    const routes = (router: ConnectRouter) => router.service(ControlService, handlers);
    const client = createClient(
      ControlService,
      createRouterTransport(routes, { router: { interceptors: [known, member] } }),
    );
    const publish = () => client.publish({ publications: [{ channels: [group("chat:a")], payload: text("x") }] });
    expect(await refusalNames(publish())).toBe("Unavailable UNAVAILABLE");
    expect(await client.listNodes({})).toMatchObject({ nodes: [] });
    isMember = true;
    expect(await publish()).toMatchObject({ results: [] });
  });
});
