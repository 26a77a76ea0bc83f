import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { toJsonString } from "@bufbuild/protobuf";
import { ServerConfigSchema } from "@fanfare/proto/config/v1";
import { text } from "@fanfare/sdk-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliProcess, runCli } from "../cli/src/testing/cli-process.ts";
import { openPlayer } from "../scripts/server-kill/player.ts";
import { apiKey, configOf } from "../scripts/server-kill/server-on-valkey.ts";
import { startStandalone, until, type ValkeyServers } from "../server/src/testing/valkey-processes.ts";
import { requireTool } from "./require-tool.ts";

interface NodeOfList {
  readonly nodeId: string;
  readonly incarnation: string;
  readonly connections?: number;
}

async function nodesAt(url: string): Promise<NodeOfList[]> {
  const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
  const method = `${url}/fanfare.control.v1.ControlService/ListNodes`;
  const response = await fetch(method, { method: "POST", headers, body: "{}" });
  return ((await response.json()) as { nodes: NodeOfList[] }).nodes;
}

describe.skipIf(requireTool("valkey-server") === undefined)("fanfare serve --workers", () => {
  let valkey: ValkeyServers;
  let folder: Awaited<ReturnType<typeof mkdtempDisposable>>;
  let file: string;

  beforeAll(async () => {
    valkey = await startStandalone();
    folder = await mkdtempDisposable(join(tmpdir(), "fanfare-workers-"));
    file = join(folder.path, "fanfare.json");
    const addresses = valkey.addresses.map(({ host, port }) => `${host}:${port}`);
    const config = configOf({ addresses, keyPrefix: "workers", nodeId: "box" });
    const json = JSON.parse(toJsonString(ServerConfigSchema, config)) as object;
    const clusterKeys = [{ id: "c", secret: "signs the resume secrets of several workers" }];
    await writeFile(file, JSON.stringify({ ...json, clusterKeys }));
  });
  afterAll(async () => {
    await valkey?.[Symbol.asyncDispose]();
    await folder?.remove();
  });

  it("shares one address among processes that are nodes, starts one again that was killed, and drains all", async () => {
    await using cli = new CliProcess(["serve", "--config", file, "--workers", "2", "--json"]);
    const { url, workers } = JSON.parse(await cli.line("stdout", /"serving"/)) as { url: string; workers: number };
    expect(workers).toBe(2);
    await until(async () => (await nodesAt(url)).length === 2);
    const before = await nodesAt(url);
    expect(before.map(({ nodeId }) => nodeId)).toEqual(["box-1", "box-2"]);

    const players = await Promise.all(Array.from({ length: 8 }, (_, i) => openPlayer(`player-${i}`, url)));
    const got = players.map(() => [] as string[]);
    for (const [i, player] of players.entries()) {
      const group = await player.join("durable:shared");
      group.on(text(), (value) => got[i]?.push(value));
    }
    for (const [i, player] of players.entries()) {
      await player.to({ group: "durable:shared" }).publish(text(), `${i}`);
    }
    await until(async () => got.every((values) => values.length === players.length));
    await until(async () => (await nodesAt(url)).every(({ connections = 0 }) => connections > 0));

    const children = await cli.children();
    process.kill(children[0] as number, "SIGKILL");
    await cli.line("stderr", /Worker \d has ended \(SIGKILL\); it is started again/);
    await until(async () => {
      const after = await nodesAt(url);
      const same = after.filter(({ incarnation }) => before.some((one) => one.incarnation === incarnation));
      return after.length === 2 && same.length === 1;
    });
    await players[0]?.to({ group: "durable:shared" }).publish(text(), "after");
    await until(async () => got.every((values) => values.at(-1) === "after"));

    cli.kill("SIGTERM");
    expect(await cli.ended()).toMatchObject({ code: 0 });
    await Promise.all(players.map((player) => player.close()));
  }, 60_000);

  it("ends with 1 when its address is taken, and leaves the cluster that its workers have joined", async () => {
    await using one = new CliProcess(["serve", "--config", file, "--json"]);
    const { url } = JSON.parse(await one.line("stdout", /"serving"/)) as { url: string };
    const { code, stderr } = await runCli(["serve", "--config", file, "--workers", "2", "--port", new URL(url).port]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("is in use")]);
    expect(stderr).toMatch(/worker \d could not be started/);
    await until(async () => (await nodesAt(url)).length === 1);
    one.kill("SIGTERM");
    const ended = await one.ended();
    expect(ended.code).toBe(0);
    expect(ended.stderr).toContain("a node has left");
    expect(ended.stderr).not.toContain("a node is gone");
  }, 60_000);

  interface Workers extends AsyncDisposable {
    readonly cli: CliProcess;
    readonly url: string;
    readonly nodes: readonly string[];
  }

  /** Two of them, in a process group of their own, with a client at each at least. */
  async function startWithPlayers(): Promise<Workers> {
    const opened = new AsyncDisposableStack();
    const cli = opened.use(
      new CliProcess(["serve", "--config", file, "--workers", "2", "--json"], { hasOwnGroup: true }),
    );
    const told = JSON.parse(await cli.line("stdout", /"serving"/)) as { url: string; nodes: string[] };
    await until(async () => (await nodesAt(told.url)).length === 2);
    for (let i = 0; i < 8; i++) {
      const player = await openPlayer(`player-${i}`, told.url);
      opened.defer(() => player.close());
    }
    await until(async () => (await nodesAt(told.url)).every(({ connections = 0 }) => connections > 0));
    return { cli, ...told, [Symbol.asyncDispose]: () => opened.disposeAsync() };
  }

  /** Both have sent their clients away and said farewell: nothing of them is left in the registry, where a dead one is for seconds. */
  async function expectAllDrained(stderr: string): Promise<void> {
    expect(stderr.match(/Sending \d clients? away/g)).toHaveLength(2);
    await using other = new CliProcess(["serve", "--config", file, "--json"]);
    const { url } = JSON.parse(await other.line("stdout", /"serving"/)) as { url: string };
    expect((await nodesAt(url)).map(({ nodeId }) => nodeId)).toEqual(["box"]);
  }

  it.each(["SIGTERM", "SIGINT"] as const)(
    "drains all on %s to the whole process group",
    async (signal) => {
      await using workers = await startWithPlayers();
      workers.cli.killGroup(signal);
      const { code, stderr } = await workers.cli.ended();
      expect(code).toBe(0);
      await expectAllDrained(stderr);
    },
    60_000,
  );

  it("drains all when the process that has started them is gone", async () => {
    await using workers = await startWithPlayers();
    workers.cli.kill("SIGKILL");
    const { stderr } = await workers.cli.ended(); // the workers have its standard error as well
    await expectAllDrained(stderr);
  }, 60_000);

  it("ends with 1 when a worker is killed before it has sent its clients away", async () => {
    await using workers = await startWithPlayers();
    const [child = 0] = await workers.cli.children();
    workers.cli.kill("SIGTERM");
    process.kill(child, "SIGKILL");
    const { code, stderr } = await workers.cli.ended();
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/not every worker has sent its clients away: worker \d ended with SIGKILL/),
    ]);
  }, 60_000);

  it("kills all on a second signal", async () => {
    await using workers = await startWithPlayers();
    process.kill((await workers.cli.children())[0] as number, "SIGSTOP"); // it cannot end in order
    workers.cli.killGroup("SIGINT");
    await pause(400);
    workers.cli.killGroup("SIGINT");
    expect((await workers.cli.ended()).code).toBe(130);
  }, 60_000);

  it("tells the nodes by the names that they have, also where no name is configured", async () => {
    const { nodeId: _, ...unnamed } = JSON.parse(await readFile(file, "utf8")) as { nodeId: string };
    const other = join(folder.path, "unnamed.json");
    await writeFile(other, JSON.stringify(unnamed));
    await using cli = new CliProcess(["serve", "--config", other, "--workers", "2", "--json"]);
    const { url, nodes } = JSON.parse(await cli.line("stdout", /"serving"/)) as { url: string; nodes: string[] };
    const names = async () => (await nodesAt(url)).map(({ nodeId }) => nodeId).sort();
    await until(async () => (await names()).length === 2);
    expect(await names()).toEqual(nodes);
    expect(nodes[1]).toMatch(/-[0-9a-f]{8}-2$/);
    cli.kill("SIGTERM");
    expect((await cli.ended()).code).toBe(0);
  }, 60_000);

  it("refuses workers that could not resume each other's sessions", async () => {
    const other = join(folder.path, "without-keys.json");
    const addresses = valkey.addresses.map(({ host, port }) => `${host}:${port}`);
    await writeFile(other, toJsonString(ServerConfigSchema, configOf({ addresses, keyPrefix: "workers" })));
    const { code, stderr } = await runCli(["serve", "--config", other, "--workers", "2"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("set cluster_keys in the configuration")]);
  });
});
