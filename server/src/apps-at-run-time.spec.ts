import { create, toBinary } from "@bufbuild/protobuf";
import { NodeRecordSchema, NodeState } from "@fanfare/proto/cluster/v1alpha";
import { AppSchema, TokenAlgorithm } from "@fanfare/proto/config/v1";
import { CloseCode } from "@fanfare/proto/v1";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../../test/require-tool.ts";
import { refusalNames, refusalOf } from "./control/testing/control-fixture.ts";
import { createLog, type LogEntry } from "./observe/log.ts";
import { newApp, startTestServer, type TestServer, tokenFor } from "./testing/test-server.ts";
import { openBrokerOn } from "./testing/valkey-broker.ts";
import { startStandalone, until, type ValkeyServers } from "./testing/valkey-processes.ts";

const clusterKey = "signs the resume secrets of nodes that apps come to";
const definitionOf = (id: string) => toBinary(AppSchema, create(AppSchema, newApp(id)));
const ofEnvironment = {
  keys: [{ id: "k", algorithm: TokenAlgorithm.HS256, material: { case: "environment" as const, value: "GAME_KEY" } }],
};

describe.skipIf(requireTool("valkey-server") === undefined)("apps at run time in a cluster", () => {
  let valkey: ValkeyServers;
  let one: TestServer;
  let two: TestServer;
  let count = 0;
  const fresh = () => `app-${++count}`;
  const statusOf = async (server: TestServer, id: string) =>
    (await server.operator().listApps({})).apps.find(({ app }) => app?.id === id);

  beforeAll(async () => {
    valkey = await startStandalone();
    const environment = { GAME_KEY: "only node one has this one, of 32 bytes" };
    one = await startTestServer({ valkey, clusterKey, nodeId: "one", environment });
    two = await startTestServer({ valkey, clusterKey, nodeId: "two" });
  }, 60_000);
  afterAll(async () => {
    await one?.[Symbol.asyncDispose]();
    await two?.[Symbol.asyncDispose]();
    await valkey?.[Symbol.asyncDispose]();
  });

  it("are served by a node that starts later, from its first client on, and by one that comes back", async () => {
    const id = fresh();
    await one.operator().putApp({ app: newApp(id) });
    await using three = await startTestServer({ valkey, clusterKey, nodeId: "three" });
    const player = await three.join("player", { app: id });
    expect((await one.operator().deleteApp({ id })).unconfirmedNodes).toEqual([]);
    expect((await player.ended()).code).toBe(CloseCode.PERMISSION_DENIED);
  });

  it("are looked for when a token names one that nobody has told of, before its player is sent away for good", async () => {
    const id = fresh();
    const broker = await openBrokerOn(valkey);
    await using _ = broker;
    // Stored, and the word of it is lost.
    await broker.settings.putApp(id, definitionOf(id), await broker.settings.version());
    const players = await Promise.all(Array.from({ length: 20 }, (_, i) => two.join(`player-${i}`, { app: id })));
    expect(players.map(({ welcome }) => welcome?.resumed)).toEqual(Array(20).fill(false));
    // Many strangers share a look.
    const before = (await valkey.processes[0]?.command("INFO", "commandstats")) ?? "";
    const strangers = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const stranger = await two.dial();
        stranger.sayHello({ token: tokenFor("p", { app: `nobody-${i}` }) });
        return (await stranger.ended()).code;
      }),
    );
    expect(new Set(strangers)).toEqual(new Set([CloseCode.UNAUTHENTICATED]));
    const callsIn = (text: string) => Number(/cmdstat_fcall:calls=(\d+)/.exec(text)?.[1] ?? 0);
    const after = (await valkey.processes[0]?.command("INFO", "commandstats")) ?? "";
    expect(callsIn(after) - callsIn(before)).toBeLessThan(40);
    await one.operator().deleteApp({ id });
  });

  it("are told by a node that lost the word with its next lease", async () => {
    const id = fresh();
    const broker = await openBrokerOn(valkey);
    await using _ = broker;
    await broker.settings.putApp(id, definitionOf(id), await broker.settings.version());
    // One of the two learns of it by its own look; the other by the version in its record.
    await one.join("player", { app: id });
    await until(async () => two.server.node.apps.has(id));
    await two.operator().deleteApp({ id });
  });

  it("that a node cannot use are told of in the answer and in its list, and served by the others", async () => {
    const id = fresh();
    const put = await one.operator().putApp({ app: newApp(id, { playerAuth: ofEnvironment }) });
    expect(put.unconfirmedNodes).toMatchObject([
      { nodeId: "two", reason: expect.stringContaining("GAME_KEY, which is not set") },
    ]);
    expect((await statusOf(one, id))?.problem).toBe("");
    expect((await statusOf(two, id))?.problem).toContain("GAME_KEY, which is not set");
    expect(one.server.node.apps.has(id)).toBe(true);
    expect(two.server.node.apps.has(id)).toBe(false);
    // Node two refuses it itself.
    const { error } = await refusalOf(two.operator().putApp({ app: newApp(id, { playerAuth: ofEnvironment }) }));
    expect(error?.field).toBe("app.player_auth.keys[0].environment");
    // Put again so that every node can use it, it is served by all.
    expect((await one.operator().putApp({ app: newApp(id) })).unconfirmedNodes).toEqual([]);
    const player = await two.join("player", { app: id });
    // And where a later definition cannot be used, the former one is.
    await one.operator().putApp({ app: newApp(id, { playerAuth: ofEnvironment }) });
    await two.join("other", { app: id });
    expect(player.closedWith).toBeUndefined();
    await one.operator().deleteApp({ id });
  });

  it("are not put while a node of an older release would send their players away", async () => {
    const id = fresh();
    const { cluster } = one.server.node;
    const older = {
      nodeId: "older",
      incarnation: 77n,
      state: NodeState.READY,
      version: "0.0.9",
      minRevision: 1,
      maxRevision: 1,
    };
    cluster?.nodes.greeted(toBinary(NodeRecordSchema, create(NodeRecordSchema, older)));
    const { error } = await refusalOf(one.operator().putApp({ app: newApp(id) }));
    expect(error?.message).toMatch(
      /node "older" is of release 0\.0\.9, which knows no apps at run time; upgrade it first/,
    );
    cluster?.nodes.bury(77n, true);
    await one.operator().putApp({ app: newApp(id) });
    await one.operator().deleteApp({ id });
  });

  it("give way to the configuration file of a node, and the stored one can then be deleted without anybody leaving", async () => {
    // As after a restart with app `b` in the file, which was put before.
    const broker = await openBrokerOn(valkey);
    await using _ = broker;
    await one.control("b").putNamespace({ namespace: { name: "extra", rules: {} } });
    await broker.settings.putApp("b", definitionOf("b"), await broker.settings.version());
    const player = await two.join("player", { app: "b" });
    await until(
      async () => (await statusOf(two, "b"))?.problem !== "" || (await two.server.node.settings?.refresh()) === -1,
    );
    expect((await statusOf(two, "b"))?.problem).toContain("which holds");
    expect((await two.operator().deleteApp({ id: "b" })).changed).toBe(true);
    expect((await statusOf(two, "b"))?.problem).toBe("");
    expect(await refusalNames(two.operator().deleteApp({ id: "b" }))).toBe("FailedPrecondition FAILED_PRECONDITION id");
    await player.settle();
    expect(player.closedWith).toBeUndefined();
    expect((await two.control("b").listNamespaces({})).namespaces.map(({ name }) => name)).toContain("extra");
  });

  it("that Valkey has lost are told of as lost, and not as deleted", async () => {
    await using own = await startStandalone();
    const entries: LogEntry[] = [];
    const log = createLog({ level: "info", sink: (entry) => void entries.push(entry), nowMs: Date.now });
    await using node = await startTestServer({ valkey: own, clusterKey, log });
    const [deleted, id] = [fresh(), fresh()];
    await node.operator().putApp({ app: newApp(deleted) });
    await node.operator().putApp({ app: newApp(id) });
    await node.operator().deleteApp({ id: deleted });
    await node.control().putNamespace({ namespace: { name: "extra", rules: {} } });
    await own.processes[0]?.kill();
    await own.processes[0]?.restart();
    await until(async () => !node.server.node.apps.has(id), 15_000);
    const told = entries.filter(({ message }) => /app was deleted|valkey has lost/.test(message));
    expect(told).toMatchObject([
      { message: "an app was deleted", fields: { app: deleted } },
      { level: "warn", fields: { apps: [id], namespaces: ["a/extra"] } },
    ]);
  }, 30_000);
});
