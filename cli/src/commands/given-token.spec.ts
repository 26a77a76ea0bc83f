import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mintToken } from "@fanfare/sdk-node/token";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliProcess, runCli } from "../testing/cli-process.ts";

const key = "signs the tokens of players, for tests only";
const config = `
listen: {port: 0}
apps:
  - id: game
    player_auth: { leeway_s: 0, keys: [{ algorithm: hs256, secret: "${key}" }] }
    namespaces: [{ name: default, rules: { subscribe: anyone } }]
`;

describe("fanfare sub with a token that was given", () => {
  let folder: Awaited<ReturnType<typeof mkdtempDisposable>>;
  let server: CliProcess;
  let sub: string[];
  beforeAll(async () => {
    folder = await mkdtempDisposable(join(tmpdir(), "fanfare-cli-"));
    const file = join(folder.path, "fanfare.yaml");
    await writeFile(file, config);
    server = new CliProcess(["serve", "--config", file, "--json"]);
    const { url } = JSON.parse(await server.line("stdout", /"serving"/)) as { url: string };
    sub = ["sub", "--group", "lobby", "--url", url];
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    await folder?.remove();
  });

  async function tokenOf(key: string, lifetimeMs: number, nowMs = Date.now()): Promise<string> {
    return (await mintToken({ app: "game", player: "ann", key, lifetimeMs, nowMs })).token;
  }

  it("ends at once if it has expired, because no newer one can come", async () => {
    const token = await tokenOf(key, 1000, Date.now() - 60_000);
    const { code, stderr } = await runCli([...sub, "--token", token]);
    expect([code, stderr]).toEqual([4, "fanfare: the token has expired\n  pass a newer --token or FANFARE_TOKEN\n"]);
  });

  it("ends when it expires, and says so once", async () => {
    const { code, stderr } = await runCli([...sub, "--token", await tokenOf(key, 6000)]);
    expect(code).toBe(4);
    expect(stderr).toMatch(
      /^connected, session .*\nreceiving group lobby\nfanfare: the token has expired\n {2}pass a newer --token or FANFARE_TOKEN\n$/,
    );
  });

  it("says of one that no server of this key has signed where it came from", async () => {
    const { code, stderr } = await runCli([...sub, "--token", await tokenOf(key.toUpperCase(), 60_000)]);
    expect([code, stderr]).toEqual([
      4,
      "fanfare: the token does not verify\n  pass another one with --token or FANFARE_TOKEN\n",
    ]);
  });
});
