import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toJsonString } from "@bufbuild/protobuf";
import { ServerConfigSchema, TimingSchema } from "@fanfare/proto/config/v1";
import { type Client, ErrorCode, text } from "@fanfare/sdk-core";
import { mintToken } from "@fanfare/sdk-node/token";
import { resolveConfig, startServer } from "@fanfare/server";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliProcess, runCli } from "../cli/src/testing/cli-process.ts";
import { openPlayer } from "../scripts/server-kill/player.ts";
import {
  configOf,
  ServerOnValkey,
  type ServerOnValkeyOptions,
  tokenSecret,
} from "../scripts/server-kill/server-on-valkey.ts";
import { TestClient } from "../server/src/testing/test-client.ts";
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

describe.skipIf(requireTool("valkey-server") === undefined)("one node on Valkey", () => {
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

  it("refuses a second node under its prefix, and none under another", async () => {
    await using first = new ServerOnValkey({ addresses, keyPrefix: "second" });
    await first.start();
    await using second = new ServerOnValkey({ addresses, keyPrefix: "second", nodeId: "two" });
    await expect(second.start()).rejects.toThrow(
      /another node, one, uses this Valkey with the key prefix "second".* one node per prefix: set another valkey\.key_prefix, or stop the other/,
    );
    await using other = new ServerOnValkey({ addresses, keyPrefix: "other", nodeId: "two" });
    await other.start();
    expect(await readiness(first.url)).toBe(200);
    await first.stop();
    await second.start();
    expect(second.errors).not.toContain("waiting for the lease");
  });

  it("takes the lease over from a node that was killed, within its life", async () => {
    await using killed = new ServerOnValkey({ addresses, keyPrefix: "killed", leaseLifeMs: 3000 });
    await killed.start();
    await killed.kill();
    await using next = new ServerOnValkey({ addresses, keyPrefix: "killed", nodeId: "two", leaseLifeMs: 3000 });
    await next.start();
    expect(next.errors).toMatch(/waiting for the lease of another node.*one/);
    expect(await readiness(next.url)).toBe(200);
  });

  it("ends with 1 and says why when its lease is another's", async () => {
    await using served = await serve({ addresses, keyPrefix: "stolen" });
    await served.url();
    await valkey.processes[0]?.command("SET", "stolen:{lease}:node", "thief 1");
    const { code, stderr } = await served.cli.ended();
    expect([code, stderr]).toEqual([1, expect.stringContaining("another node, thief, has taken its lease on Valkey")]);
  });

  it("does not go on with a long drain when its lease is another's", async () => {
    const config = configOf({ addresses, keyPrefix: "draining" });
    config.timing = create(TimingSchema, { drainWindowMs: 0, drainDeadlineMs: 600_000 });
    await using server = await startServer({ config: resolveConfig(config), leaseLifeMs: 600 });
    const stays = await TestClient.connect(`${server.url.replace("http", "ws")}/v1/connect`);
    const { token } = await mintToken({ app: "game", player: "stays", key: tokenSecret, keyId: "k" });
    await stays.hello({ token, features: ["resume", "hand_over"] });
    server.drain();
    await valkey.processes[0]?.command("SET", "draining:{lease}:node", "thief 1");
    await server.closed;
    expect(server.failure).toMatch(/another node, thief, has taken its lease/);
    await stays.ended();
  });

  it("is not ready while Valkey is gone, and ends when it stays away for the life of the lease", async () => {
    await using gone = await ValkeyProcess.start();
    const { host, port } = gone.address;
    await using server = new ServerOnValkey({ addresses: [`${host}:${port}`], keyPrefix: "gone", leaseLifeMs: 3000 });
    await server.start();
    gone.pause();
    await until(async () => (await readiness(server.url)) === 503);
    gone.resume();
    await until(async () => (await readiness(server.url)) === 200);
    await gone.kill();
    expect(await server.ended()).toBe(1);
    expect(server.errors).toContain("its lease on Valkey could not be renewed for 3 s");
  });

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
