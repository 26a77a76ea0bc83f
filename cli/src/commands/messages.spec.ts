import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliProcess, runCli } from "../testing/cli-process.ts";
import { type DevServer, startDevServer } from "../testing/dev-server.ts";

let server: DevServer;
beforeAll(async () => {
  server = await startDevServer();
}, 30_000);
afterAll(() => server?.process[Symbol.asyncDispose]());

/** A command against the server of these tests. */
const cli = (...args: string[]) => runCli([...args, "--url", server.url]);

/** `fanfare sub` that receives. */
async function subscribed(...args: string[]): Promise<CliProcess> {
  const sub = new CliProcess(["sub", ...args, "--url", server.url]);
  await sub.line("stderr", /receiving/);
  return sub;
}

describe("fanfare pub and fanfare sub", () => {
  it("bring a message to a group, readable for people", async () => {
    await using sub = await subscribed("--group", "lobby", "--count", "1");
    expect(await cli("pub", "--group", "lobby", "hello")).toEqual({
      code: 0,
      stdout: "delivered to group lobby: reached 1 session\n",
      stderr: "",
    });
    const { code, stdout } = await sub.ended();
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\d\d:\d\d:\d\d\.\d{3} {2}group lobby {2}\(backend\) {2}hello\n$/);
  });

  it("bring all three kinds of channels, with a report, as JSON for machines", async () => {
    await using sub = await subscribed("--group", "a:1", "--group", "a:2", "--player", "bob", "--broadcast", "--json");
    const targets = ["--group", "a:1", "--group", "a:2", "--player", "bob", "--broadcast"];
    const { code, stdout } = await cli(
      "pub",
      ...targets,
      "--json-payload",
      "--type",
      "t.X",
      "--report",
      "--json",
      '{"n": 1}',
    );
    expect(code).toBe(0);
    const report = { reached: 1, detached: 0, excluded: 0 };
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual(
      [{ group: "a:1" }, { group: "a:2" }, { player: "bob" }, "broadcast"].map((channel) => ({
        channel,
        outcome: "DELIVERED",
        repeated: false,
        report,
      })),
    );
    const message = JSON.parse(await sub.line("stdout", /"broadcast"/)) as unknown;
    expect(message).toMatchObject({ channel: "broadcast", from: "", volatile: false, type: "t.X", json: { n: 1 } });
    sub.kill("SIGINT");
    const ended = await sub.ended();
    expect(ended.code).toBe(0);
    expect(ended.stdout.trim().split("\n")).toHaveLength(4);
  });

  it("say when nobody is there", async () => {
    const { code, stdout } = await cli("pub", "--group", "loby", "--group", "loby", "hello");
    expect([code, stdout]).toEqual([0, "sent to group loby: reached nobody\n"]);
    const json = await cli("pub", "--group", "loby", "--json", "hello");
    expect(JSON.parse(json.stdout)).toEqual({ channel: { group: "loby" }, outcome: "DELIVERED", repeated: false });
  });

  it("name the line of standard input that is no JSON, and say what went before it", async () => {
    const args = ["pub", "--group", "g", "--json-payload", "-", "--url", server.url];
    const late = await runCli(args, { input: '{"n": 1}\n\n{"n": 2}\n{n: 3}\n' });
    expect(late.code).toBe(1);
    expect(late.stdout.trim().split("\n")).toHaveLength(2);
    expect(late.stderr).toMatch(/standard input: line 4 is no JSON: .*\n {2}2 before it were sent\n$/);
    const first = await runCli(args, { input: "hello\n" });
    expect([first.code, first.stderr]).toEqual([
      2,
      expect.stringMatching(/line 1 is no JSON: .*\n {2}nothing was sent/),
    ]);
  });

  it("receive a group once that is named twice", async () => {
    await using sub = new CliProcess(["sub", "--group", "lobby", "--group", "lobby", "--url", server.url]);
    expect(await sub.line("stderr", /receiving/)).toBe("receiving group lobby");
  });

  it("send each line of standard input", async () => {
    await using sub = await subscribed("--group", "lines", "--count", "2", "--json");
    const { code } = await runCli(["pub", "--group", "lines", "-", "--url", server.url], { input: "one\n\ntwo\n" });
    expect(code).toBe(0);
    const { stdout } = await sub.ended();
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { text: string }).text),
    ).toEqual(["one", "two"]);
  });

  it("repeat a message, volatile if asked", async () => {
    await using sub = await subscribed("--group", "ticks", "--count", "3", "--json");
    expect((await cli("pub", "--group", "ticks", "--volatile", "--count", "3", "--interval", "1ms", "tick")).code).toBe(
      0,
    );
    const messages = (await sub.ended()).stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { volatile: boolean });
    expect(messages.map(({ volatile }) => volatile)).toEqual([true, true, true]);
  });

  it("fail for a player who is offline, and say so", async () => {
    const { code, stdout, stderr } = await cli("pub", "--player", "nobody", "--broadcast", "hello");
    expect(code).toBe(1);
    expect(stdout).toMatch(/^(sent|delivered) to everybody: reached .*\n$/);
    expect(stderr).toBe("not delivered: player nobody is offline\nfanfare: 1 of 2 were not delivered\n");
  });

  it("tell that the connection was lost, and end when they are told to", async () => {
    const own = await startDevServer();
    await using process = own.process;
    await using sub = new CliProcess(["sub", "--group", "lobby", "--url", own.url]);
    await sub.line("stderr", /receiving group lobby/);
    process.kill("SIGKILL");
    await process.ended();
    expect(await sub.line("stderr", /not connected/)).toMatch(/trying again in [\d.]+ m?s$/);
    sub.kill("SIGTERM");
    expect((await sub.ended()).code).toBe(0);
  });
});

describe("fanfare sub after its development server was started anew", () => {
  it("says that the secrets are new", async () => {
    const first = await startDevServer();
    await using sub = new CliProcess(["sub", "--group", "lobby", "--url", first.url]);
    await sub.line("stderr", /receiving group lobby/);
    await first.process[Symbol.asyncDispose]();
    const port = new URL(first.url).port;
    await using second = new CliProcess(["serve", "--dev", "--json", "--port", port]);
    await second.line("stdout", /"serving"/);
    const { code, stderr } = await sub.ended();
    expect(code).toBe(4);
    expect(stderr).toContain("its secrets are new as well: run this again");
  });
});

describe("exit codes", () => {
  it("3 for a server that cannot be reached, and what to do", async () => {
    for (const args of [
      ["pub", "--group", "g", "x"],
      ["sub", "--group", "g"],
      ["nodes"],
      ["drain"],
      ["token", "--player", "p"],
    ]) {
      const { code, stderr } = await runCli([...args, "--url", "http://127.0.0.1:1"]);
      expect({ args, code }).toEqual({ args, code: 3 });
      expect(stderr).toMatch(/no server answers at http:\/\/127\.0\.0\.1:1 \(.+\)\n.*say where it is with --url/);
    }
  });

  it("3 without a server as well where a token or key was given", async () => {
    const where = ["--url", "http://127.0.0.1:1"];
    expect((await runCli(["nodes", "--api-key", "k", ...where])).code).toBe(3);
    expect((await runCli(["pub", "--group", "g", "x", ...where], { env: { FANFARE_API_KEY: "k" } })).code).toBe(3);
  });

  it("4 for a token or key that is refused", async () => {
    expect((await cli("nodes", "--api-key", "wrong")).code).toBe(4);
    expect((await cli("pub", "--group", "g", "x", "--api-key", "wrong")).code).toBe(4);
    expect((await cli("sub", "--group", "g", "--token", "wrong")).code).toBe(4);
  });

  it("4 with the option and the variable that it came from, in no other terms", async () => {
    const refused = await cli("nodes", "--api-key", "wrong");
    expect(refused.stderr).toBe(
      `fanfare: ${server.url} does not know this API key\n  pass another one with --api-key or FANFARE_API_KEY\n`,
    );
    const env = { FANFARE_TOKEN: "ey J…" };
    const illegal = await runCli(["sub", "--group", "g", "--url", server.url], { env });
    expect(illegal.code).toBe(4);
    expect(illegal.stderr).toBe(
      "fanfare: the token has blanks or characters that no token has\n  copy it anew into --token or FANFARE_TOKEN\n",
    );
  });

  it("0 with empty variables, which count as not set", async () => {
    const env = { FANFARE_API_KEY: "", FANFARE_TOKEN: "", FANFARE_URL: server.url };
    expect((await runCli(["nodes"], { env })).code).toBe(0);
    await using sub = new CliProcess(["sub", "--group", "g"], { env });
    await sub.line("stderr", /receiving group g/);
  });

  it("3 with a hint where a server speaks no TLS", async () => {
    const url = server.url.replace("http", "https");
    for (const args of [["nodes"], ["nodes", "--api-key", "k"]]) {
      const { code, stderr } = await runCli([...args, "--url", url]);
      expect([code, stderr]).toEqual([3, expect.stringContaining(`does not speak TLS: try --url ${server.url}\n`)]);
    }
  });

  it("2 for the variable of an address that is none", async () => {
    const { code, stderr } = await runCli(["nodes"], { env: { FANFARE_URL: "junk" } });
    expect([code, stderr]).toEqual([2, expect.stringContaining('FANFARE_URL: "junk" is no address of a server')]);
  });

  it.each([
    [["pub", "--group", "a b", "x"], /^fanfare: the group's name has a character that is not allowed/],
    [["sub", "--group", "a b"], /^fanfare: the group's name has a character that is not allowed/],
    [["pub", "--player", "a b", "x"], /^fanfare: the player's name has a character that is not allowed/],
    [["sub", "--player", "a b"], /^fanfare: the player's name has a character that is not allowed/],
    [["subscribe"], /unknown command 'subscribe'\n {2}did you mean sub\?/],
    [["pbu"], /unknown command 'pbu'\n\(Did you mean pub\?\)/],
    [["help", "nope"], /unknown command 'nope'\n {2}fanfare help names all/],
    [["token", "--player", "p", "--app", "a", "--secret", "s"], /shorter than 32 bytes.*\n {2}make a longer one/],
    [["token", "--player", "p", "--cap", "fly:x"], /'fly:x' is invalid. Write <verb>:<pattern>/],
    [["token", "--player", "p", "--cap", "publish"], /'publish' is invalid/],
    [["token", "--player", "p", "--cap", "publish:a*b"], /'publish:a\*b' is invalid/],
    [["token", "--player", "p", "--expires", "0s"], /good for a second at least/],
    [["pub", "hello"], /nobody to send to/],
    [["pub", "--group", "g"], /missing required argument 'message'/],
    [["pub", "--group", "g", "--json-payload", "{"], /the message is no JSON/],
    [["pub", "--group", "g", "--count", "2", "-"], /leave out --count/],
    [["sub"], /nothing to receive/],
    [["sub", "--group", "g", "--url", "nowhere"], /"nowhere" is no address of a server/],
    [["token", "--player", "p", "--group", "g"], /--group needs a secret/],
    [["token", "--player", "p", "--secret", "s"], /pass --app/],
    [["token", "--player", "p", "--secret-env", "NO_SUCH"], /the environment has no NO_SUCH/],
    [["drain", "--window", "10"], /500ms, 10s, 2m/],
    [["publish"], /unknown command 'publish'/],
  ])("2 for %j", async (args, message) => {
    const { code, stderr } = await runCli(args);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  it("0 for help, which every command has, with examples", async () => {
    const commands = ["serve", "token", "pub", "sub", "nodes", "drain"];
    const helps = await Promise.all(commands.map((command) => runCli([command, "--help"])));
    for (const [i, { code, stdout }] of helps.entries()) {
      expect(code).toBe(0);
      expect(stdout).toContain(`Examples:\n  fanfare ${commands[i]}`);
      expect(stdout).toContain("3  the server cannot be reached");
    }
  });

  it("0 for help in the other order", async () => {
    for (const args of [[], ["pub"], ["apps", "put"]]) {
      const asked = await runCli(["help", ...args]);
      expect(asked).toEqual(await runCli([...args, "--help"]));
      expect(asked.code).toBe(0);
    }
  });
});

describe("fanfare token", () => {
  it("gives a token of the development server that connects as its player", async () => {
    const { code, stdout, stderr } = await cli("token", "--player", "eve");
    expect(code).toBe(0);
    expect(stderr).toMatch(/^of player eve, until \d{4}-/);
    await using sub = new CliProcess(["sub", "--player", "eve", "--count", "1", "--url", server.url], {
      env: { FANFARE_TOKEN: stdout.trim() },
    });
    await sub.line("stderr", /receiving player eve/);
    await cli("pub", "--player", "eve", "hi");
    expect((await sub.ended()).stdout).toContain("player eve  (backend)  hi");
    const other = await cli("sub", "--player", "ada", "--token", stdout.trim());
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining("the token is of player eve, not of ada") });
  });

  it("signs one with a secret, with groups, capabilities and an end", async () => {
    const args = [
      "--player",
      "eve",
      "--app",
      "game",
      "--secret-env",
      "KEY",
      "--key-id",
      "k1",
      "--expires",
      "30m",
      "--json",
    ];
    const { code, stdout } = await runCli(
      ["token", ...args, "--group", "g:1", "--group", "g:2", "--cap", "publish:chat:*"],
      {
        env: { KEY: "0123456789abcdef0123456789abcdef" },
      },
    );
    expect(code).toBe(0);
    const { token, expiresAt } = JSON.parse(stdout) as { token: string; expiresAt: string };
    const [header, claims] = token
      .split(".")
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, "base64url").toString()) as object);
    expect(header).toMatchObject({ alg: "HS256", kid: "k1" });
    expect(claims).toMatchObject({ sub: "eve", app: "game", groups: ["g:1", "g:2"], caps: ["publish:chat:*"] });
    const { iat, exp } = claims as { iat: number; exp: number };
    expect(exp - iat).toBe(1800);
    expect(Date.parse(expiresAt)).toBe(exp * 1000);
  });
});

describe("fanfare nodes and fanfare drain", () => {
  it("show the node, and see it to its end", async () => {
    const own = await startDevServer();
    await using process = own.process;
    const where = ["--url", own.url];
    await using sub = new CliProcess(["sub", "--group", "g", ...where]);
    await sub.line("stderr", /receiving/);
    const table = (await runCli(["nodes", ...where])).stdout;
    expect(table).toMatch(/^NODE +STATE +CONNECTIONS +SESSIONS/);
    expect(table).toMatch(/ready +1 +1 .* memory\n$/);
    const node = JSON.parse((await runCli(["nodes", "--json", ...where])).stdout) as { node: string };
    expect(node).toMatchObject({ state: "READY", connections: 1, sessions: 1, broker: "memory" });

    const { code, stdout } = await runCli(["drain", "--window", "0", "--deadline", "1s", ...where]);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${node.node} drains: 1 session was told to go\n`));
    expect(stdout).toMatch(new RegExp(`${node.node} is gone\n$`));
    expect((await process.ended()).code).toBe(0);
    await sub.line("stderr", /the server goes away/);
  });
});
