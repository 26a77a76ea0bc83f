import { create, toBinary } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { Access, NamespaceSchema, Scope } from "@fanfare/proto/config/v1";
import { NodeState } from "@fanfare/proto/control/v1";
import { CloseCode } from "@fanfare/proto/v1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../../test/require-tool.ts";
import { namespaceBounds } from "./broker/settings-store.ts";
import { refusalNames, refusalOf } from "./control/testing/control-fixture.ts";
import { newApp, startTestServer, type TestServer, tokenFor } from "./testing/test-server.ts";
import { openBrokerOn } from "./testing/valkey-broker.ts";
import { startStandalone, type ValkeyServers } from "./testing/valkey-processes.ts";

const clusterKey = "signs the resume secrets of nodes whose apps share them";

describe.skipIf(requireTool("valkey-server") === undefined)("what the key of one app can do to the others", () => {
  let valkey: ValkeyServers;
  let one: TestServer;
  let two: TestServer;
  let count = 0;
  const fresh = () => `apart-${++count}`;

  beforeAll(async () => {
    valkey = await startStandalone();
    one = await startTestServer({ valkey, clusterKey, nodeId: "one" });
    two = await startTestServer({ valkey, clusterKey, nodeId: "two" });
  }, 60_000);
  afterAll(async () => {
    await one?.[Symbol.asyncDispose]();
    await two?.[Symbol.asyncDispose]();
    await valkey?.[Symbol.asyncDispose]();
  });

  /** A namespace with a field that no release knows. */
  const heavy = (name: string, bytes: number) => ({
    ...create(NamespaceSchema, { name, rules: { subscribe: Access.ANYONE } }),
    // Field 1000, of bytes: their count in front.
    $unknown: [{ no: 1000, wireType: 2, data: Buffer.concat([varint(bytes), Buffer.alloc(bytes)]) }],
  });
  const namesOf = async (server: TestServer, app: string) =>
    (await server.control(app).listNamespaces({})).namespaces.map(({ name }) => name);

  it("stores of a namespace what is known of it, and none of the megabytes beside", async () => {
    await using broker = await openBrokerOn(valkey);
    await one.control().putNamespace({ namespace: heavy("heavy", 3_900_000) });
    expect(await namesOf(two, "a")).toContain("heavy");
    const stored = (await broker.settings.read()).apps.find(({ appId }) => appId === "a")?.namespaces.get("heavy");
    expect(stored?.length).toBeLessThan(20);
    await two.control().deleteNamespace({ name: "heavy" });
  });

  it("keeps nothing of namespaces that are deleted and never were, and hides those that are defined", async () => {
    await using broker = await openBrokerOn(valkey);
    const app = fresh();
    await one.operator().putApp({ app: newApp(app) });
    const keptOf = async (appId: string) =>
      [...((await broker.settings.read()).apps.find((one) => one.appId === appId)?.namespaces ?? [])].flat();
    for (const appId of ["b", app]) {
      await one.control(appId).putNamespace({ namespace: { name: "extra", rules: {} } });
      expect(await keptOf(appId)).toHaveLength(2);
      for (const name of ["extra", "never", "was"]) await two.control(appId).deleteNamespace({ name });
      expect(await keptOf(appId)).toEqual([]);
      // One of the configuration, and one of an app that was put.
      expect(await two.control(appId).deleteNamespace({ name: "chat" })).toMatchObject({ changed: true });
      expect(await keptOf(appId)).toEqual(["chat", undefined]);
      for (const server of [one, two]) expect(await namesOf(server, appId)).not.toContain("chat");
    }
    await one.operator().deleteApp({ id: app });
  });

  it("is told where an app has set all that it may, and leaves others room", async () => {
    await using broker = await openBrokerOn(valkey);
    const app = fresh();
    await one.operator().putApp({ app: newApp(app) });
    const bytes = toBinary(NamespaceSchema, heavy("heavy", namespaceBounds.bytesOfApp - 150));
    await broker.settings.setNamespace(app, "heavy", bytes);
    const put = (appId: string, name: string) => one.control(appId).putNamespace({ namespace: { name, rules: {} } });
    expect(await refusalNames(put(app, "n".repeat(64)))).toBe("ResourceExhausted LIMIT_EXCEEDED");
    expect(await put("b", "n".repeat(64))).toMatchObject({ created: true });
    await two.control(app).deleteNamespace({ name: "heavy" });
    expect(await put(app, "n".repeat(64))).toMatchObject({ created: true });
    await one.operator().deleteApp({ id: app });
  });

  it("bans whomever it likes, however many it has banned before, and leaves nothing behind of bans that were lifted", async () => {
    const app = fresh();
    await one.operator().putApp({ app: newApp(app) });
    const nodes = [one, two].map(({ server }) => server.node);
    await one.control(app).ban({ playerId: "eve" });
    expect(nodes.map(({ bans }) => bans.sizeOf(app))).toEqual([1, 1]);
    await two.control(app).unban({ playerId: "eve" });
    expect(nodes.map(({ bans }) => bans.sizeOf(app))).toEqual([0, 0]);

    for (const { bans, revocations } of nodes) {
      for (let i = 0; i < 40_000; i++) {
        bans.ban(app, `before-${i}`, 0, "");
        revocations.revoke(app, `before-${i}`, Date.now());
      }
    }
    const player = await two.join("eve", { app });
    expect(await one.control(app).ban({ playerId: "eve" })).toMatchObject({ sessions: 1 });
    expect((await player.ended()).code).toBe(CloseCode.BANNED);
    const other = await two.join("rex", { app });
    await one.control(app).revokeTokens({ playerId: "rex", issuedBeforeMs: BigInt(Date.now() + 60_000) });
    expect((await other.ended()).code).toBe(CloseCode.TOKEN_REVOKED);
    // Also when a node has forgotten it since.
    for (const { bans } of nodes) bans.unban(app, "eve");
    for (const [name, code] of [
      ["eve", CloseCode.BANNED],
      ["rex", CloseCode.TOKEN_REVOKED],
    ] as const) {
      for (const server of [one, two]) {
        const late = await server.dial();
        late.sayHello({ token: tokenFor(name, { app }) });
        expect((await late.ended()).code).toBe(code);
      }
    }
    await one.operator().deleteApp({ id: app });
  });

  it("sends no node's clients away, and sees how many are its own", async () => {
    const app = fresh();
    await one.operator().putApp({ app: newApp(app) });
    await Promise.all([
      one.join("of-a", { app: "a" }),
      one.join("of-b", { app: "b" }),
      two.join("of-b-too", { app: "b" }),
    ]);
    await one.join("of-app", { app });
    const countsOf = async (client: ReturnType<TestServer["control"]>) =>
      (await client.listNodes({})).nodes.map(({ nodeId, connections, sessions }) => [nodeId, connections, sessions]);
    for (const server of [one, two]) {
      for (const appId of ["a", app]) {
        for (const call of [server.control(appId).drain({}), server.control(appId).rebalance({})]) {
          const { code, error } = await refusalOf(call);
          expect(code).toBe(Code.PermissionDenied);
          expect(error?.message).toContain("use one of operator_keys of the configuration");
        }
      }
      expect(await countsOf(server.control(app))).toEqual([
        ["one", 1, 1],
        ["two", 0, 0],
      ]);
      const whole = [one, two].map(({ server: { node } }, i) => [
        i === 0 ? "one" : "two",
        node.counters.connections,
        node.counters.sessions,
      ]);
      expect(await countsOf(server.controlOfNodes())).toEqual(whole);
      expect(await server.controlOfNodes().rebalance({ percent: 1 })).toMatchObject({ sessions: 0 });
    }
    // An operator's key is of no app.
    expect(await refusalNames(one.controlOfNodes().listSessions({}))).toBe("PermissionDenied PERMISSION_DENIED");
    const events = one.controlOfNodes().watchEvents({})[Symbol.asyncIterator]();
    expect(await refusalNames(events.next())).toBe("PermissionDenied PERMISSION_DENIED");

    // A node that goes tells nobody else's count, either.
    await using three = await startTestServer({ valkey, clusterKey, nodeId: "three" });
    await three.join("of-b-as-well", { app: "b" });
    const streams = ["b", app].map((id) => three.control(id).watchEvents({})[Symbol.asyncIterator]());
    for (const stream of streams) await stream.next();
    await two.controlOfNodes().drain({ nodeId: "three", windowMs: 1, deadlineMs: 500 });
    for (const [i, stream] of streams.entries()) {
      const { value } = await stream.next();
      const node = { nodeId: "three", state: NodeState.DRAINING, connections: 1 - i, sessions: 1 - i };
      expect(value?.event?.event).toMatchObject({ case: "nodeChanged", value: { node } });
    }
    await three.server.closed;
    await one.operator().deleteApp({ id: app });
  });

  it("ends at once on all nodes, also streams that it has opened, when it is withdrawn or loses its scope", async () => {
    const app = fresh();
    const given = newApp(app);
    const [key] = given.apiKeys ?? [];
    await one.operator().putApp({ app: given });
    const changes: [NonNullable<typeof given.apiKeys>, Code][] = [
      [[{ ...key, scopes: [Scope.ADMIN] }], Code.PermissionDenied],
      [[], Code.Unauthenticated],
    ];
    for (const [apiKeys, code] of changes) {
      await two.operator().putApp({ app: given });
      const streams = [one, two].map((server) => server.control(app).watchEvents({})[Symbol.asyncIterator]());
      for (const stream of streams) await stream.next();
      // What changes nothing about the key ends nothing.
      await two.operator().putApp({ app: { ...given, namespaces: [] } });
      const waiting = Promise.allSettled(streams.map((stream) => stream.next()));
      await one.operator().putApp({ app: { ...given, apiKeys } });
      const withdrawn = { status: "rejected", reason: expect.objectContaining({ code }) };
      expect(await waiting).toEqual([withdrawn, withdrawn]);
    }
    await one.operator().deleteApp({ id: app });
  });
});

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Uint8Array.of(...bytes, rest);
    bytes.push((rest & 0x7f) | 0x80);
  }
}
