import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { toJsonString } from "@bufbuild/protobuf";
import { ServerConfigSchema } from "@fanfare/proto/config/v1";
import { type Client, ErrorCode, text } from "@fanfare/sdk-core";
import { resolveConfig, startServer } from "@fanfare/server";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliProcess, runCli } from "../cli/src/testing/cli-process.ts";
import { openPlayer } from "../scripts/server-kill/player.ts";
import {
  apiKey,
  configOf,
  ServerOnValkey,
  type ServerOnValkeyOptions,
} from "../scripts/server-kill/server-on-valkey.ts";
import {
  startCluster,
  startStandalone,
  until,
  ValkeyProcess,
  type ValkeyServers,
} from "../server/src/testing/valkey-processes.ts";
import { requireTool } from "./require-tool.ts";

/** Runs `fanfare serve --config`. */
async function serve(options: ServerOnValkeyOptions) {
  const folder = await mkdtempDisposable(join(tmpdir(), "fanfare-valkey-config-"));
  const file = join(folder.path, "fanfare.json");
  await writeFile(file, toJsonString(ServerConfigSchema, configOf(options)));
  const cli = new CliProcess(["serve", "--config", file, "--json"]);
  const url = async () => (JSON.parse(await cli.line("stdout", /"serving"/)) as { url: string }).url;
  const dispose = async () => {
    await cli[Symbol.asyncDispose]();
    await folder.remove();
  };
  return { cli, file, url, [Symbol.asyncDispose]: dispose };
}

const portOf = (url: string) => Number(new URL(url).port);
const readiness = async (url: string) => (await fetch(`${url}/readyz`)).status;

const metricsOf = async (url: string) => await (await fetch(`${url}/metrics`)).text();

const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };

async function control<T>(url: string, call: string, body: object): Promise<T> {
  const init = { method: "POST", headers, body: JSON.stringify(body) };
  const response = await fetch(`${url}/fanfare.control.v1.ControlService/${call}`, init);
  return (await response.json()) as T;
}

interface Nodes {
  readonly nodes: readonly { nodeId: string; incarnation: string; state: string }[];
}

/** Of a call that failed there are no results. */
interface Published {
  readonly results?: readonly { results: readonly { outcome: string }[] }[];
}

interface History {
  readonly page: { readonly messages: readonly { payload: { text: string } }[] };
}

const listNodes = async (url: string) => (await control<Nodes>(url, "ListNodes", {})).nodes;
const nodesOf = async (url: string) => (await listNodes(url)).map(({ nodeId }) => nodeId);
const incarnationsOf = async (url: string) => (await listNodes(url)).map(({ incarnation }) => incarnation);

describe.skipIf(requireTool("valkey-server") === undefined)("nodes on Valkey", () => {
  let valkey: ValkeyServers;
  let addresses: string[];
  const addressesOf = (servers: ValkeyServers) => servers.addresses.map(({ host, port }) => `${host}:${port}`);

  beforeAll(async () => {
    valkey = await startStandalone();
    addresses = addressesOf(valkey);
  });
  afterAll(() => valkey?.[Symbol.asyncDispose]());

  async function outlives(options: ServerOnValkeyOptions): Promise<void> {
    await using first = await serve(options);
    const url = await first.url();
    expect(await readiness(url)).toBe(200);
    const publisher = await openPlayer("publisher", url);
    const reader = await openPlayer("reader", url);
    const got: string[] = [];
    const gaps: unknown[] = [];
    const group = await reader.join("durable:a");
    group.on("gap", (gap) => gaps.push(gap));
    group.on(text(), (value) => got.push(value));
    const publish = (from: Client, value: string) => from.to({ group: "durable:a" }).publish(text(), value);
    for (const value of ["1", "2", "3"]) await publish(publisher, value);
    await until(async () => got.length === 3);
    first.cli.kill("SIGTERM");
    expect(await first.cli.ended()).toMatchObject({ code: 0 });

    // Something is stored by the next process before the reader is back.
    await using second = await serve({ ...options, nodeId: "two" });
    const before = await openPlayer("before", await second.url());
    await publish(before, "4");
    await before.close();
    second.cli.kill("SIGTERM");
    await second.cli.ended();
    await using third = await serve({ ...options, nodeId: "three", port: portOf(url) });
    await third.url();
    await publish(publisher, "5");
    await until(async () => got.length >= 5);
    expect([got, gaps]).toEqual([["1", "2", "3", "4", "5"], []]);
    await Promise.all([publisher.close(), reader.close()]);
  }

  it(
    "keeps what is published over restarts of the command, and a reader goes on where it was",
    { timeout: 40_000 },
    () => outlives({ addresses, keyPrefix: "restart" }),
  );

  it("does so in a cluster", { timeout: 60_000 }, async () => {
    await using cluster = await startCluster();
    await outlives({ addresses: addressesOf(cluster), cluster: true, keyPrefix: "restart" });
  });

  it("finds the other nodes under its prefix, and none under another", async () => {
    await using first = new ServerOnValkey({ addresses, keyPrefix: "second" });
    await using second = new ServerOnValkey({ addresses, keyPrefix: "second", nodeId: "two" });
    await using other = new ServerOnValkey({ addresses, keyPrefix: "other", nodeId: "three" });
    await Promise.all([first.start(), second.start(), other.start()]);
    expect(await nodesOf(first.url)).toEqual(["one", "two"]);
    expect(await nodesOf(second.url)).toEqual(["one", "two"]);
    expect(await nodesOf(other.url)).toEqual(["three"]);
    expect(await metricsOf(second.url)).toMatch(/^fanfare_cluster_nodes 2$/m);
    await first.stop();
    await until(async () => (await nodesOf(second.url)).length === 1);
    // Whoever scrapes soon after another gets the same text.
    await until(async () => /^fanfare_cluster_nodes 1$/m.test(await metricsOf(second.url)));
    const metrics = await metricsOf(second.url);
    expect(metrics).toMatch(/^fanfare_cluster_node_events_total\{event="left"\} 1$/m);
    expect(metrics).toMatch(/^fanfare_link_records_total\{outcome="delivered"\} [1-9]/m);
    expect(metrics).toMatch(/^fanfare_broker_lane_probes_total [1-9]/m);
  });

  it("begins at once although a node was killed just before, and the others forget that one", async () => {
    await using killed = new ServerOnValkey({ addresses, keyPrefix: "killed" });
    await using stays = new ServerOnValkey({ addresses, keyPrefix: "killed", nodeId: "two" });
    await Promise.all([killed.start(), stays.start()]);
    await killed.kill();
    const beganMs = performance.now();
    await killed.start();
    expect(performance.now() - beganMs).toBeLessThan(5_000);
    expect(await readiness(killed.url)).toBe(200);
    await until(async () => /a node is gone.*one/.test(stays.errors));
    await until(async () => (await nodesOf(stays.url)).join() === "one,two");
  });

  it("is not ready while Valkey is gone, and is again by itself: as another incarnation when that took longer than its lease", async () => {
    await using gone = await ValkeyProcess.start();
    const { host, port } = gone.address;
    await using server = new ServerOnValkey({ addresses: [`${host}:${port}`], keyPrefix: "gone" });
    await server.start();
    const [before] = await incarnationsOf(server.url);
    gone.pause();
    await until(async () => (await readiness(server.url)) === 503);
    gone.resume();
    await until(async () => (await readiness(server.url)) === 200);
    expect(await incarnationsOf(server.url)).toEqual([before]);
    await gone.kill();
    // Each waits to be written for 8 s, and the node counts as gone after 6: what is written then could overtake what its publisher says elsewhere.
    const channel = { group: "durable:a" };
    const publish = async (value: string) => {
      const publications = [{ channels: [channel], payload: { text: value } }];
      const { results = [] } = await control<Published>(server.url, "Publish", { publications });
      return results[0]?.results[0]?.outcome;
    };
    const waiting: Promise<unknown>[] = [];
    do {
      waiting.push(publish(`while Valkey was away, ${waiting.length}`));
      await setTimeout(500);
    } while (!/the others count this node as gone/.test(server.errors));
    const states = async () => (await listNodes(server.url)).map(({ state }) => state);
    expect(await states()).toEqual(["NODE_STATE_ISOLATED"]);
    await gone.restart();
    await until(async () => (await readiness(server.url)) === 200, 30_000);
    for (const outcome of await Promise.all(waiting)) expect(outcome).toMatch(/^OUTCOME_(UNKNOWN|FAILED)$/);
    expect(await publish("afterwards")).toBe("OUTCOME_STORED");
    const { page } = await control<History>(server.url, "GetHistory", { query: { channel } });
    expect(page.messages.map(({ payload }) => payload.text)).toEqual(["afterwards"]);
    const [after] = await incarnationsOf(server.url);
    expect(after).not.toBe(before);
    expect(await states()).toEqual(["NODE_STATE_READY"]);
    expect(server.hasEnded).toBe(false);
  }, 60_000);

  it("connects as the user and with the password that are configured", async () => {
    await using locked = await ValkeyProcess.start();
    await locked.command("ACL", "SETUSER", "fanfare", "on", ">right", "~*", "&*", "+@all");
    await locked.command("ACL", "SETUSER", "default", "off");
    const config = configOf({ addresses: [`127.0.0.1:${locked.port}`], keyPrefix: "locked" });
    Object.assign(config.valkey ?? {}, { username: "fanfare", passwordEnvironment: "PASSWORD" });
    await using server = await startServer({ config: resolveConfig(config, { environment: { PASSWORD: "right" } }) });
    expect(await readiness(server.url)).toBe(200);
    const wrong = { config: resolveConfig(config, { environment: { PASSWORD: "wrong" } }) };
    await expect(startServer(wrong)).rejects.toMatchObject({ code: ErrorCode.UNAUTHENTICATED });
  });

  it("says what to install where GLIDE is not", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-valkey-config-"));
    const file = join(folder.path, "fanfare.json");
    await writeFile(file, toJsonString(ServerConfigSchema, configOf({ addresses, keyPrefix: "no-glide" })));
    const env = { NODE_OPTIONS: `--import ${new URL("refuse-glide.ts", import.meta.url).href}` };
    const { code, stderr } = await runCli(["serve", "--config", file], { env });
    expect([code, stderr]).toEqual([1, expect.stringContaining("the package @valkey/valkey-glide is not installed")]);
  });

  it("says within seconds that Valkey refuses its password, or that nobody answers", async () => {
    await using locked = await ValkeyProcess.start();
    const address = `127.0.0.1:${locked.port}`;
    await locked.command("CONFIG", "SET", "requirepass", "right");
    const refused = async (password: string | undefined, where: string) => {
      await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-valkey-config-"));
      const file = join(folder.path, "fanfare.json");
      const config = configOf({ addresses: [where], keyPrefix: "locked" });
      if (config.valkey !== undefined && password !== undefined)
        config.valkey.passwordEnvironment = "FANFARE_TEST_PASSWORD";
      await writeFile(file, toJsonString(ServerConfigSchema, config));
      const beganAtMs = performance.now();
      const { code, stderr } = await runCli(["serve", "--config", file], {
        env: password === undefined ? {} : { FANFARE_TEST_PASSWORD: password },
      });
      expect(performance.now() - beganAtMs).toBeLessThan(10_000);
      expect(stderr).not.toContain("    at ");
      return { code, stderr };
    };
    const wrong = { code: 1, stderr: expect.stringContaining(`Valkey at ${address} refuses the user or password`) };
    expect(await refused("wrong", address)).toEqual(wrong);
    expect(await refused(undefined, address)).toEqual(wrong);
    expect(await refused("", address)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/FANFARE_TEST_PASSWORD.*not set/),
    });
    const nobody = await refused(undefined, "127.0.0.1:1");
    expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining("Valkey at 127.0.0.1:1 cannot be used") });
  });
});
