import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer } from "../server.ts";
import { within } from "../testing/test-client.ts";
import { startTestServer, TestServer } from "../testing/test-server.ts";

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

/** One request with exactly this path, which `fetch` would tidy up. */
async function get(
  server: TestServer,
  path: string,
  options: { method?: string; host?: string } = {},
): Promise<Answer> {
  const { hostname, port } = new URL(server.server.url);
  const answer = Promise.withResolvers<Answer>();
  const { method = "GET", host } = options;
  const headers = host === undefined ? {} : { host };
  const sent = request({ host: hostname, port, path, method, headers, agent: false }, (response) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.on("end", () => {
      const { statusCode = 0, headers } = response;
      answer.resolve({ status: statusCode, headers, body: Buffer.concat(chunks).toString() });
    });
  });
  sent.on("error", answer.reject);
  sent.end();
  return within(answer.promise, () => path);
}

const devSecrets = { tokenSecret: "secret of the app a, for tests only", apiKey: "key" };
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fanfare-pages-"));
  const pages = join(folder, "pages");
  await mkdir(join(pages, "assets"), { recursive: true });
  await mkdir(join(folder, "pages-of-others"));
  await writeFile(join(pages, "index.html"), "<p>hello</p>");
  await writeFile(join(pages, "assets", "main.js"), "1");
  await writeFile(join(pages, "notes.txt"), "not served");
  await writeFile(join(pages, ".hidden.js"), "hidden");
  await writeFile(join(folder, "secret.js"), "outside");
  await writeFile(join(folder, "pages-of-others", "secret.js"), "outside");
  await symlink(join(folder, "nowhere"), join(pages, "broken.js"));
});

afterAll(() => rm(folder, { recursive: true }));

function start(): Promise<TestServer> {
  return startTestServer({ pages: join(folder, "pages"), devSecrets });
}

describe("health", () => {
  it("is alive and ready, and alive but not ready while it drains", async () => {
    await using server = await start();
    expect(await get(server, "/healthz")).toMatchObject({ status: 200, body: "ok\n" });
    expect(await get(server, "/readyz?x=1")).toMatchObject({ status: 200 });
    expect(await get(server, "/healthz", { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
    expect((await get(server, "/healthz", { method: "POST" })).status).toBe(404);
    const client = await server.join("alice", { hello: { features: ["resume", "hand_over"] } });
    server.server.drain({ windowMs: 0, deadlineMs: 5_000 });
    expect((await get(server, "/readyz")).status).toBe(503);
    expect((await get(server, "/healthz")).status).toBe(200);
    await client.close();
  });
});

describe("metrics", () => {
  it("counts what happens, in Prometheus' format", async () => {
    await using server = await start();
    const alice = await server.join("alice");
    await alice.subscribe("lobby");
    await alice.publish("lobby", "x");
    const { status, headers, body } = await get(server, "/metrics");
    expect(status).toBe(200);
    expect(headers["content-type"]).toMatch(/^text\/plain/);
    const lines = body.split("\n").filter((line) => !line.startsWith("#") && line !== "");
    for (const line of lines) expect(line).toMatch(/^[a-z_:][\w:]*(\{.*\})? [-+\d.eINna]+$/i);
    expect(lines.some((line) => /connections\S* 1$/.test(line))).toBe(true);
  });

  it("are not served where the configuration says so", async () => {
    await using usual = await startTestServer();
    const { config } = usual.server.node;
    const observe = { ...config.observe, metrics: false };
    await using server = new TestServer(await startServer({ config: { ...config, observe } }));
    expect((await get(server, "/metrics")).status).toBe(404);
    expect((await get(server, "/healthz")).status).toBe(200);
  });
});

describe("development credentials", () => {
  it("are for this machine by its own name, and let a player in", async () => {
    const { DEV_APP_ID, DEV_KEY_ID } = await import("../config/dev-config.ts");
    await using server = await start();
    const answer = await get(server, "/dev/credentials?player=zoe");
    expect(answer.status).toBe(200);
    expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
    expect(answer.headers["cache-control"]).toBe("no-store");
    const { player, token, apiKey, expiresAtMs } = JSON.parse(answer.body);
    expect({ player, apiKey }).toEqual({ player: "zoe", apiKey: "key" });
    expect(expiresAtMs).toBeGreaterThan(Date.now());
    const [header, claims] = token.split(".").map((part: string) => Buffer.from(part, "base64url").toString());
    expect(JSON.parse(header)).toMatchObject({ alg: "HS256", kid: DEV_KEY_ID });
    expect(JSON.parse(claims)).toMatchObject({ sub: "zoe", app: DEV_APP_ID });
  });

  it("are refused under any other name: a page of another site may have one that points here", async () => {
    await using server = await start();
    const { port } = new URL(server.server.url);
    for (const host of ["evil.example", `evil.example:${port}`, "localhost.evil.example", "10.0.0.1", "a b", "[::"]) {
      const answer = await get(server, "/dev/credentials", { host });
      expect([400, 403], host).toContain(answer.status);
      expect(answer.body).not.toContain("key");
    }
    for (const host of ["localhost", `localhost:${port}`, "127.0.0.1", "[::1]:1"]) {
      expect((await get(server, "/dev/credentials", { host })).status, host).toBe(200);
    }
  });

  it("are not made for what is no name, and not served unless asked for", async () => {
    await using server = await start();
    expect((await get(server, "/dev/credentials?player=a%20b")).status).toBe(400);
    expect((await get(server, "/dev/credentials?player=")).status).toBe(400);
    expect((await get(server, "/dev/credentials", { method: "POST" })).status).toBe(404);
    await using plain = await startTestServer();
    expect((await get(plain, "/dev/credentials")).status).toBe(404);
  });
});

describe("pages", () => {
  it("are served with their type, and headers that keep others from framing or guessing", async () => {
    await using server = await start();
    expect(await get(server, "/")).toMatchObject({
      status: 200,
      body: "<p>hello</p>",
      headers: {
        "content-type": "text/html; charset=utf-8",
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
      },
    });
    expect((await get(server, "/assets/main.js?v=1")).body).toBe("1");
    expect(await get(server, "/assets/main.js", { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
  });

  it("are nothing outside of their folder, nothing hidden, no folder and no other type", async () => {
    await using server = await start();
    const paths = [
      "/../secret.js",
      "/assets/../../secret.js",
      "/%2e%2e/secret.js",
      "/..%2fsecret.js",
      "/%2e%2e%2fsecret.js",
      "/..%5csecret.js",
      "/../pages-of-others/secret.js",
      "//secret.js",
      `/${encodeURIComponent(join(folder, "secret.js"))}`,
      "/.hidden.js",
      "/assets/.%2f.hidden.js",
      "/notes.txt",
      "/assets",
      "/assets/",
      "/main.js%00.html",
      "/%",
      "/%ff.js",
      "/broken.js",
      "/index.html/x.js",
    ];
    for (const path of paths) {
      const { status, body } = await get(server, path);
      expect([400, 404], path).toContain(status);
      expect(body, path).not.toMatch(/outside|hidden|not served/);
    }
  });

  it("outlive names that no file can have", async () => {
    await using server = await start();
    for (const path of [`/${"a".repeat(300)}.js`, `/${"a/".repeat(4_000)}x.js`]) {
      expect((await get(server, path)).status).toBe(404);
    }
    expect((await get(server, "/")).status).toBe(200);
  });
});

describe("the listener", () => {
  it("answers what is no HTTP with 400 and goes on", async () => {
    await using server = await start();
    const { hostname, port } = new URL(server.server.url);
    for (const bytes of ["\0\0\0\0", "GET / HTTP/9.9\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\x00\x01"]) {
      const socket = connect({ host: hostname, port: Number(port) });
      socket.on("error", () => {});
      socket.write(bytes);
      socket.resume();
      await within(once(socket, "close"), () => "the end of the connection");
    }
    expect((await get(server, "/healthz")).status).toBe(200);
  });
});
