import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCli } from "../testing/cli-process.ts";
import { type DevServer, startDevServer } from "../testing/dev-server.ts";

const definition = `id: my-game
playerAuth:
  keys:
    - algorithm: TOKEN_ALGORITHM_HS256
      secret: a secret of the game, for tests only
namespaces:
  - name: chat
    rules: { subscribe: ACCESS_ANYONE }
`;

describe("fanfare apps", () => {
  let server: DevServer;
  let where: string[];
  beforeAll(async () => {
    server = await startDevServer();
    where = ["--url", server.url];
  });
  afterAll(() => server?.process[Symbol.asyncDispose]());

  it("puts an app from standard input or a file, lists it without its secret, and deletes it", async () => {
    const put = await runCli(["apps", "put", "-", ...where], { input: definition });
    expect([put.code, put.stdout]).toEqual([0, "my-game is there\n"]);
    await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-apps-"));
    const file = join(folder.path, "my-game.yaml");
    await writeFile(file, definition.replace("name: chat", "name: other"));
    const again = await runCli(["apps", "put", file, "--json", ...where]);
    expect(JSON.parse(again.stdout)).toEqual({ app: "my-game", created: false, unconfirmedNodes: [] });
    const listed = await runCli(["apps", "list", ...where]);
    expect(listed.stdout).toMatch(/^dev +configuration/m);
    expect(listed.stdout).toMatch(/^my-game +run time +1 +none/m);
    const lines = (await runCli(["apps", "list", "--json", ...where])).stdout.trim().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { app: { id: "dev" }, source: "CONFIGURATION" },
      { app: { id: "my-game", namespaces: [{ name: "other" }] }, source: "RUN_TIME", problem: "" },
    ]);
    expect(lines.join()).not.toContain("a secret of the game");
    expect((await runCli(["apps", "delete", "my-game", ...where])).stdout).toBe("my-game is gone\n");
    expect((await runCli(["apps", "delete", "my-game", ...where])).stdout).toBe("there was no my-game\n");
  });

  it("names the line that is wrong, whether it or the server sees it", async () => {
    const typo = await runCli(["apps", "put", "-", ...where], { input: definition.replace("rules", "rule") });
    expect([typo.code, typo.stderr]).toEqual([
      2,
      expect.stringMatching(/standard input: line 8: .*rule is not known: did you mean rules/),
    ]);
    const short = await runCli(["apps", "put", "-", ...where], {
      input: definition.replace(/secret: .*/, "secret: short"),
    });
    expect([short.code, short.stderr]).toEqual([1, expect.stringMatching(/standard input: line 5: .*secret/)]);
    const hash = `${"ab".repeat(32)}  -`;
    const keys = `${definition}apiKeys: [{ id: k, sha256: "${hash}" }]\n`;
    const hashed = await runCli(["apps", "put", "-", ...where], { input: keys });
    expect([hashed.code, hashed.stderr]).toEqual([
      1,
      expect.stringMatching(/line 9: .*\n {2}write 64 hex digits: only the first word of sha256sum's output/),
    ]);
    const ofFile = await runCli(["apps", "delete", "dev", ...where]);
    expect([ofFile.code, ofFile.stderr]).toEqual([1, expect.stringContaining("in the configuration file")]);
    expect((await runCli(["apps", "put", "/no/such/file", ...where])).code).toBe(2);
  });

  it("says when it is refused, and by what key it is not", async () => {
    const wrong = await runCli(["apps", "list", "--operator-key", "wrong", ...where]);
    expect([wrong.code, wrong.stderr]).toEqual([
      4,
      expect.stringMatching(
        /does not know this operator key\n {2}pass another one with --operator-key or FANFARE_OPERATOR/,
      ),
    ]);
    const env = { FANFARE_OPERATOR_KEY: server.apiKey };
    const ofApp = await runCli(["apps", "list", ...where], { env });
    expect([ofApp.code, ofApp.stderr]).toEqual([4, expect.stringContaining("this is the API key of an app")]);
  });

  it("has help with examples for each", async () => {
    for (const names of [[], ["list"], ["put"], ["delete"]]) {
      const { code, stdout } = await runCli(["apps", ...names, "--help"]);
      expect([code, stdout]).toEqual([0, expect.stringMatching(/Examples:\n {2}fanfare apps/)]);
      expect(stdout).toContain("Exit codes:");
    }
  });
});
