import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A page, and everything that went wrong in it so far: errors on its console, exceptions, requests that failed. */
export interface WatchedPage {
  readonly page: Page;
  readonly problems: string[];
}

/** A headless Chromium that shows the built pages of this repository. */
export class ChromiumPages implements AsyncDisposable {
  readonly #browser: Browser;

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  /** Builds the pages that are stale, and starts the browser. */
  static async start(executablePath: string): Promise<ChromiumPages> {
    const script = fileURLToPath(new URL("../scripts/build-pages.ts", import.meta.url));
    await promisify(execFile)(process.execPath, ["--conditions=@fanfare/source", script]);
    return new ChromiumPages(await chromium.launch({ executablePath, args: flags }));
  }

  /** Opens an address in a window of its own. */
  async open(url: string, options?: BrowserContextOptions): Promise<WatchedPage> {
    const page = await this.#browser.newPage(options);
    const problems: string[] = [];
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") problems.push(message.text());
    });
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("requestfailed", (request) => problems.push(`${request.url()}: ${request.failure()?.errorText}`));
    await page.goto(url);
    return { page, problems };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}
