import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import { ListenSchema, TimingSchema } from "@fanfare/proto/config/v1";
import { devConfig, type FanfareServer, resolveConfig, startServer } from "@fanfare/server";
import { build } from "esbuild";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { CuttingProxy } from "../../../sdk-node/src/testing/cutting-proxy.ts";

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A server that serves the test page, a proxy before it, and a real browser. */
export class BrowserGame implements AsyncDisposable {
  readonly server: FanfareServer;
  readonly proxy: CuttingProxy;
  readonly #browser: Browser;
  readonly #folder: string;

  private constructor(server: FanfareServer, proxy: CuttingProxy, browser: Browser, folder: string) {
    this.server = server;
    this.proxy = proxy;
    this.#browser = browser;
    this.#folder = folder;
  }

  static async start(executablePath: string): Promise<BrowserGame> {
    const folder = await mkdtemp(join(tmpdir(), "fanfare-page-"));
    await build({
      entryPoints: [fileURLToPath(new URL("page.ts", import.meta.url))],
      outfile: join(folder, "page.js"),
      bundle: true,
      format: "esm",
      target: "es2022",
      conditions: ["@fanfare/source"],
    });
    await writeFile(
      join(folder, "index.html"),
      '<!doctype html><title>game</title><script type="module" src="page.js"></script>',
    );
    await writeFile(join(folder, "other.html"), "<!doctype html><title>elsewhere</title>");
    const dev = devConfig();
    dev.config.listen = create(ListenSchema, { host: "127.0.0.1", port: 0 });
    dev.config.timing = create(TimingSchema, { reconnectWindowMs: 10 });
    const server = await startServer({ config: resolveConfig(dev.config), devSecrets: dev, pages: folder });
    const proxy = await CuttingProxy.start(server.url);
    // Playwright turns the back-forward cache off unless it is asked not to.
    const ignoreDefaultArgs = ["--disable-back-forward-cache"];
    const browser = await chromium.launch({ executablePath, args: flags, ignoreDefaultArgs });
    return new BrowserGame(server, proxy, browser, folder);
  }

  /** A window of its own, without anything in its storage. */
  context(): Promise<BrowserContext> {
    return this.#browser.newContext();
  }

  /** Opens the page in a tab, and connects a player unless none is named. */
  async open(context: BrowserContext, player?: string, url: string = this.server.url): Promise<Page> {
    const page = await context.newPage();
    await page.goto(this.server.url);
    if (player !== undefined) await this.connect(page, player, url);
    return page;
  }

  /** Connects the page's player; the session's id. */
  async connect(page: Page, player: string, url: string = this.server.url): Promise<string> {
    const response = await fetch(`${this.server.url}/dev/credentials?player=${player}`);
    const { token } = (await response.json()) as { token: string };
    await page.waitForFunction(() => "game" in globalThis);
    return page.evaluate(([address = "", secret = ""]) => game.start(address, secret), [url, token]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    await this.proxy[Symbol.asyncDispose]();
    await this.server.close();
    await rm(this.#folder, { recursive: true });
  }
}
