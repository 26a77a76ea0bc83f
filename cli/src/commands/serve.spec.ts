import { createHash } from "node:crypto";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { CliProcess, runCli } from "../testing/cli-process.ts";
import { startDevServer } from "../testing/dev-server.ts";

const config = `
listen: {port: 0}
apps:
  - id: game
    player_auth:
      keys: [{id: a, algorithm: TOKEN_ALGORITHM_HS256, secret: "0123456789abcdef0123456789abcdef"}]
`;

describe("fanfare serve --dev", () => {
  it("tells people the page, lines to try, a token and the API key, and that it is no server for anything else", async () => {
    await using server = new CliProcess(["serve", "--dev", "--port", "0"]);
    await server.line("stdout", /Ctrl-C stops it/);
    const url = (await server.line("stdout", /Page/)).trim().split(/\s+/)[1]?.slice(0, -1) ?? "";
    expect(await server.line("stdout", /DEVELOPMENT SERVER/)).toBeDefined();
    expect(await server.line("stdout", /Receive/)).toContain(`npx fanfare sub --group lobby --url ${url}`);
    expect(await server.line("stdout", /Send/)).toContain(`npx fanfare pub --group lobby hello --url ${url}`);
    expect(await server.line("stdout", /^ +eyJ/)).toMatch(/^ {2}[\w-]+\.[\w-]+\.[\w-]+$/);
    expect(await server.line("stdout", /API key/)).toContain("ffdev_");
    expect(await (await fetch(`${url}/readyz`)).text()).toBe("ready\n");
    const page = await fetch(url);
    expect([200, 404]).toContain(page.status); // 404 where nobody has built it
  });

  it.each(["SIGTERM", "SIGINT"] as const)("ends with 0 on %s", async (signal) => {
    const { process } = await startDevServer();
    await using server = process;
    server.kill(signal);
    expect(await server.ended()).toMatchObject({ code: 0 });
  });

  it("sends its clients away first, and ends at once on a second signal", async () => {
    const { process, url } = await startDevServer();
    await using server = process;
    await using client = new CliProcess(["sub", "--group", "lobby", "--url", url]);
    await client.line("stderr", /receiving/);
    server.kill("SIGTERM");
    await server.line("stderr", /Sending 1 client away/);
    await client.line("stderr", /the server goes away/);
    await pause(400); // sooner it would be the same signal by another way
    server.kill("SIGTERM");
    expect((await server.ended()).code).toBe(143);
  });

  it("does not keep whoever presses Ctrl-C waiting for a client that has nowhere to go", async () => {
    const { process, url } = await startDevServer();
    await using server = process;
    await using client = new CliProcess(["sub", "--group", "lobby", "--url", url]);
    await client.line("stderr", /receiving/);
    server.kill("SIGINT");
    expect((await server.ended()).code).toBe(0); // the configured drain would take longer than this test may
  });

  it("says in one sentence what to do when the port is taken", async () => {
    const { process, url } = await startDevServer();
    await using _ = process;
    const { code, stderr } = await runCli(["serve", "--dev", "--port", new URL(url).port]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/is in use, perhaps by another fanfare serve\n.*choose another port with --port/);
    expect(stderr).not.toContain("    at ");
  });

  it("takes the address from the environment, and the command line before it", async () => {
    // Variables of the other commands are none of the server's business.
    const env = { PORT: "0", HOST: "localhost", FANFARE_URL: "http://a", FANFARE_API_KEY: "b", FANFARE_TOKEN: "c" };
    await using server = new CliProcess(["serve", "--dev", "--json", "--host", "127.0.0.1"], { env });
    const { url } = JSON.parse(await server.line("stdout", /"serving"/)) as { url: string };
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(url).not.toMatch(/:8080$/);
  });

  it("blames the option that was given", async () => {
    const { code, stderr } = await runCli(["serve", "--dev", "--host", "10.1.2.3"]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^fanfare: --host is 10.1.2.3, and development mode/)]);
  });

  it("says that npm keeps an option for itself", async () => {
    const env = { npm_lifecycle_event: "start", npm_config_port: "9000", PORT: "0" };
    await using server = new CliProcess(["serve", "--dev", "--json"], { env });
    expect(await server.line("stderr", /npm/)).toBe("npm took --port for its own: write npm start -- --port 9000");
    await server.line("stdout", /"serving"/);
  });

  it("refuses to listen anywhere but on this machine", async () => {
    const { code, stderr } = await runCli(["serve", "--dev"], { env: { HOST: "0.0.0.0", PORT: "0" } });
    expect(code).toBe(2);
    expect(stderr).toContain("listen.host (HOST) is 0.0.0.0, and development mode");
  });
});

describe("fanfare serve --workers", () => {
  it("refuses several workers without what connects them, and says what to do", async () => {
    const { code, stderr } = await runCli(["serve", "--dev", "--port", "0", "--workers", "2"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/2 workers are 2 nodes.*Valkey.*\n.*set valkey\.addresses/);
  });

  it("refuses more workers than the name of the node has room for", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-cli-"));
    const file = join(folder.path, "fanfare.yaml");
    const secret = "0123456789abcdef0123456789abcdef";
    await writeFile(
      file,
      `${config}node_id: ${"n".repeat(62)}\nvalkey: { addresses: ["127.0.0.1:1"] }\ncluster_keys: [{ id: k, secret: ${secret} }]\n`,
    );
    const { code, stderr } = await runCli(["serve", "--config", file, "--workers", "10"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/n-10, which is longer than 64 bytes\n.*shorter node_id/);
  });
});

describe("fanfare serve --config", () => {
  it("serves what the file says, and gives nobody development credentials", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-cli-"));
    await writeFile(join(folder.path, "fanfare.yaml"), config);
    await using server = new CliProcess(["serve", "--config", join(folder.path, "fanfare.yaml"), "--json"]);
    const line = JSON.parse(await server.line("stdout", /"serving"/)) as { url: string; dev: boolean };
    expect(line).toMatchObject({ dev: false });
    expect(line).not.toHaveProperty("apiKey");
    expect((await fetch(`${line.url}/dev/credentials`)).status).toBe(404);
    const refused = await runCli(["sub", "--group", "lobby", "--url", line.url]);
    expect(refused.code).toBe(4);
    expect(refused.stderr).toContain("pass a player's token with --token");
  });

  it("says what is behind a start that fails, and not the error in front alone", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-cli-"));
    const file = join(folder.path, "fanfare.yaml");
    const valkey = `{ addresses: ["127.0.0.1:1"], tls: true, certificate_authority_file: /nowhere.pem }`;
    await writeFile(file, `${config}valkey: ${valkey}\n`);
    const { code, stderr } = await runCli(["serve", "--config", file]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/certificate_authority_file \/nowhere\.pem cannot be read \(ENOENT: no such file.*\)/);
  });

  it("serves no app but those that operators put", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-cli-"));
    const file = join(folder.path, "fanfare.yaml");
    const sha256 = createHash("sha256").update("key-of-the-operator").digest("hex");
    await writeFile(file, `listen: {port: 0}\noperator_keys: [{ id: o, sha256: ${sha256} }]\n`);
    const env = { FANFARE_OBSERVE_LOG_LEVEL: "debug" };
    await using server = new CliProcess(["serve", "--config", file, "--json"], { env });
    const { url } = JSON.parse(await server.line("stdout", /"serving"/)) as { url: string };
    const where = ["--url", url, "--operator-key", "key-of-the-operator"];
    const input = "id: late\nplayerAuth: { jwksUrl: 'https://late.example/keys' }\n";
    expect((await runCli(["apps", "put", "-", ...where], { input })).stdout).toBe("late is there\n");
    expect((await runCli(["apps", "list", ...where])).stdout).toMatch(/^late +run time/m);
  });

  it("names a file of TLS that is not there", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-cli-"));
    const file = join(folder.path, "fanfare.yaml");
    const missing = join(folder.path, "missing.pem");
    const tls = `tls: { certificate_file: "${missing}", key_file: "${missing}.key" }`;
    await writeFile(file, config.replace("port: 0", `port: 0, ${tls}`));
    const { code, stderr } = await runCli(["serve", "--config", file]);
    expect([code, stderr]).toEqual([
      2,
      `fanfare: listen.tls.certificate_file: ${missing} cannot be read: does not exist\n`,
    ]);
  });

  it("names the line that is wrong", async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-cli-"));
    const file = join(folder.path, "fanfare.yaml");
    await writeFile(file, config.replace("port: 0", "port: 70000"));
    const { code, stderr } = await runCli(["serve", "--config", file]);
    expect(code).toBe(2);
    expect(stderr).toContain(`${file}: line 2: listen.port`);
  });

  it.each([
    [["serve"], /nothing says what to serve/],
    [["serve", "--dev", "--config", "x.yaml"], /leave out --config for .*, or leave out --dev to serve what the file/],
    [["serve", "--config", "no-such-file.yaml"], /no-such-file.yaml cannot be read: does not exist/],
    [["serve", "--dev", "--port", "70000"], /whole number from 0 to 65535/],
    [["serve", "--dve"], /Did you mean --dev/],
  ])("refuses %j", async (args, message) => {
    const { code, stderr } = await runCli(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });
});
