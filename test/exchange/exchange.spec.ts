import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import { Access, NamespaceSchema } from "@fanfare/proto/config/v1";
import { DeliveryClass } from "@fanfare/proto/v1";
import { devConfig, type FanfareServer, loadConfig, startServer } from "@fanfare/server";
import { build } from "esbuild";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../require-tool.ts";
import type { PeerReport, PeerTask } from "./peer.ts";

const executablePath = requireTool("chromium");
const players = ["node-1", "node-2", "browser"];
/** 3 x (667 + 667 + 1,000 + 2 x 500) = 10,002 messages. */
const counts = { group: 667, durable: 667, broadcast: 1000, player: 500 };
const published = counts.group + counts.durable + counts.broadcast + 2 * counts.player;
const received = 3 * (counts.group + counts.durable + counts.broadcast) + 2 * counts.player;

describe.skipIf(executablePath === undefined)("two Node processes and a browser", () => {
  let browser: Browser;
  let script: string;

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath as string, args: chromiumFlags });
    script = await bundle();
  });

  afterAll(() => browser?.close());

  it("exchange 10,000 messages on all kinds of channels, live and durable, none lost, doubled or out of order", {
    timeout: 60_000,
  }, async () => {
    await using exchange = await Exchange.open(browser, script, 0);
    expectComplete(await exchange.run());
  });

  it("do the same while the server drains every two seconds onto its other listener", { timeout: 90_000 }, async () => {
    await using exchange = await Exchange.open(browser, script, 90);
    const drains = exchange.drainEvery(2_000);
    const reports = await exchange.run();
    const drained = await drains.stop();
    expectComplete(reports);
    expect(drained).toBeGreaterThanOrEqual(4);
    for (const { name, moves, gaps } of reports) {
      expect(moves, `moves of ${name}`).toBeGreaterThanOrEqual(4);
      expect(gaps, `gaps of ${name}`).toBe(0);
    }
  });
});

function expectComplete(reports: readonly PeerReport[]): void {
  const seen = reports.map(({ name, faults, ...report }) => ({
    name,
    faults,
    published: report.published,
    received: report.received,
  }));
  expect(seen).toEqual(players.map((name) => ({ name, faults: [], published, received })));
}

const chromiumFlags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("page/main.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "iife",
    conditions: ["@fanfare/source", "browser"],
  });
  return outputFiles[0]?.text ?? "";
}

/** A server with two listeners, and the three peers, connected. */
class Exchange implements AsyncDisposable {
  readonly #server: FanfareServer;
  readonly #runs: (() => Promise<PeerReport>)[];
  readonly #stack: AsyncDisposableStack;

  private constructor(server: FanfareServer, runs: (() => Promise<PeerReport>)[], stack: AsyncDisposableStack) {
    this.#server = server;
    this.#runs = runs;
    this.#stack = stack;
  }

  static async open(browser: Browser, script: string, roundsPerSecond: number): Promise<Exchange> {
    await using stack = new AsyncDisposableStack();
    const secrets = devConfig();
    const limits = {
      publishesPerSecond: 100_000,
      publishBurst: 100_000,
      framesPerSecond: 100_000,
      bytesPerSecond: 100_000_000,
    };
    const environment = Object.fromEntries(
      Object.entries(limits).map(([name, value]) => [
        `FANFARE_LIMITS_${name.replaceAll(/[A-Z]/g, "_$&").toUpperCase()}`,
        `${value}`,
      ]),
    );
    secrets.config.listen = {
      $typeName: "fanfare.config.v1.Listen",
      host: "",
      port: 0,
      additional: [secondListener],
      trustedProxies: [],
    };
    secrets.config.apps[0]?.namespaces.push(...namespaces);
    const server = await startServer({
      config: loadConfig({ base: secrets.config, environment }),
      devSecrets: secrets,
    });
    stack.use(server);
    const taskOf = async (name: string): Promise<PeerTask> => {
      const answer = await fetch(`${server.url}/dev/credentials?player=${name}`);
      const { token } = (await answer.json()) as { token: string };
      return { url: server.url, token, name, players, counts, roundsPerSecond, allowedOrigins: server.urls };
    };
    const nodes = await Promise.all(players.slice(0, 2).map(async (name) => openNodePeer(await taskOf(name), stack)));
    const page = await openPagePeer(browser, script, await taskOf("browser"), stack);
    return new Exchange(server, [...nodes, page], stack.move());
  }

  /** Lets all peers publish and waits for their reports. */
  run(): Promise<PeerReport[]> {
    return Promise.all(this.#runs.map((run) => run()));
  }

  /** Drains the listener that is in use onto the other one, again and again. */
  drainEvery(periodMs: number): { stop(): Promise<number> } {
    let drains = 0;
    let last: Promise<void> = Promise.resolve();
    const timer = setInterval(() => {
      const from = drains++ % 2;
      this.#server.reopen(1 - from);
      last = this.#server.drainListener(from, 1 - from, { windowMs: 500, deadlineMs: 1_900 }).done;
    }, periodMs);
    return {
      stop: async () => {
        clearInterval(timer);
        await last;
        return drains;
      },
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

const open = { subscribe: Access.ANYONE, publish: Access.ANYONE };
const namespaces = [
  { name: "default", rules: open },
  { name: "durable", rules: { ...open, deliveryClass: DeliveryClass.DURABLE, retention: { maxMessages: 10_000 } } },
].map((namespace) => create(NamespaceSchema, namespace));

const secondListener = { $typeName: "fanfare.config.v1.Listener" as const, host: "", port: 0 };

async function openNodePeer(task: PeerTask, stack: AsyncDisposableStack): Promise<() => Promise<PeerReport>> {
  const script = fileURLToPath(new URL("node-peer.ts", import.meta.url));
  const child: ChildProcess = spawn(process.execPath, ["--conditions=@fanfare/source", script, JSON.stringify(task)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  stack.defer(() => void child.kill());
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe("ready");
  return async () => {
    child.stdin?.write("go\n");
    return JSON.parse((await lines.next()).value as string) as PeerReport;
  };
}

async function openPagePeer(
  browser: Browser,
  script: string,
  task: PeerTask,
  stack: AsyncDisposableStack,
): Promise<() => Promise<PeerReport>> {
  const pages = createServer((_request, response) =>
    response.setHeader("content-type", "text/html").end("<title>peer</title>"),
  );
  pages.listen(0, "127.0.0.1");
  await once(pages, "listening");
  stack.defer(() => void pages.close());
  const page = await browser.newPage();
  stack.defer(() => page.close());
  await page.goto(`http://127.0.0.1:${(pages.address() as AddressInfo).port}/`);
  await page.addScriptTag({ content: script });
  await page.evaluate((given) => (globalThis as unknown as PageGlobals).openExchangePeer(given), task);
  return () => page.evaluate(() => (globalThis as unknown as PageGlobals).runExchangePeer());
}

interface PageGlobals {
  openExchangePeer(task: PeerTask): Promise<void>;
  runExchangePeer(): Promise<PeerReport>;
}
