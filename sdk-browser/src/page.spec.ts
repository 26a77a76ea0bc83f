import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { requireTool } from "../../test/require-tool.ts";
import { BrowserGame } from "./testing/browser-game.ts";
import type {} from "./testing/page.ts";

const chromium = requireTool("chromium");

describe.skipIf(chromium === undefined)("the SDK in a real page", () => {
  let game: BrowserGame;
  let context: BrowserContext;
  beforeAll(async () => {
    game = await BrowserGame.start(chromium ?? "");
  }, 60_000);
  afterAll(() => game?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    context = await game.context();
  });
  afterEach(() => context.close());

  /** Status types of a page, without heartbeats. */
  const told = (page: Page) =>
    page.evaluate(() => globalThis.game.statuses.map(({ type }) => type).filter((type) => type !== "latency"));
  const sessionOf = (page: Page) => page.evaluate(() => globalThis.game.client().sessionId);
  /** Waits for the page to have received what another one sends, which shows that it is served. */
  const serves = async (page: Page, from: Page, value: string) => {
    await from.evaluate((text) => globalThis.game.publish("lobby", text), value);
    await page.waitForFunction((text) => globalThis.game.received.includes(text), value);
  };

  it("connects, exchanges, and measures its round trip", async () => {
    const alice = await game.open(context, "alice");
    const bob = await game.open(context, "bob");
    await alice.evaluate(() => globalThis.game.join("lobby"));
    await bob.evaluate(() => globalThis.game.join("lobby"));
    await serves(bob, alice, "hello");
    await serves(alice, bob, "héllo 👋");
    expect(await alice.evaluate(() => globalThis.game.received)).toEqual(["hello", "héllo 👋"]);
    await alice.evaluate(() => globalThis.game.status("latency"));
    expect(await alice.evaluate(() => globalThis.game.client().latency?.roundTripMs ?? -1)).toBeGreaterThanOrEqual(0);
    const server = await alice.evaluate(() => globalThis.game.client().server.features);
    expect(server).toContain("hand_over");
  });

  it("rejects with what the browser throws where it may open no socket at all", async () => {
    const page = await game.open(context);
    await page.waitForFunction(() => "game" in globalThis);
    const failure = await page.evaluate(() => {
      // What browsers do for ws in a page that came by https.
      globalThis.WebSocket = class {
        constructor() {
          throw new DOMException("insecure", "SecurityError");
        }
      } as never;
      return globalThis.game.start("ws://127.0.0.1:1", "token", 50).then(
        () => undefined,
        (error) => [error.name, error.cause.closeCode, error.cause.message],
      );
    });
    expect(failure).toEqual(["FanfareError", 1006, expect.stringContaining("SecurityError")]);
  });

  it("does not try while the browser is offline, and is back with the network, in its old session", async () => {
    const alice = await game.open(context, "alice", game.proxy.url);
    const bob = await game.open(await game.context(), "bob");
    await alice.evaluate(() => globalThis.game.join("lobby"));
    const session = await sessionOf(alice);
    await context.setOffline(true);
    game.proxy.cut();
    await alice.evaluate(() => globalThis.game.status("waiting"));
    expect(await alice.evaluate(() => globalThis.game.statuses.find(({ type }) => type === "waiting"))).toMatchObject({
      delayMs: 30_000,
    });
    expect(game.proxy.connections).toBe(0);
    const seen = await alice.evaluate(() => globalThis.game.statuses.length);
    await context.setOffline(false);
    expect(await alice.evaluate((from) => globalThis.game.status("open", from), seen)).toMatchObject({ resumed: true });
    expect(await sessionOf(alice)).toBe(session);
    expect(await alice.evaluate(() => globalThis.game.gaps.length)).toBe(1);
    await serves(alice, bob, "after offline");
    await bob.context().close();
  });

  it("is a new session after a reload, and leaves no secret in any storage", async () => {
    const alice = await game.open(context, "alice");
    const session = await sessionOf(alice);
    await alice.reload();
    expect(await game.connect(alice, "alice")).not.toBe(session);
    const stored = await alice.evaluate(async () => {
      const databases = await indexedDB.databases();
      return [localStorage.length, sessionStorage.length, databases.length, document.cookie];
    });
    expect(stored).toEqual([0, 0, 0, ""]);
  });

  it("is a session of its own in a duplicated tab, and both are served", async () => {
    const first = await game.open(context, "alice");
    const [second] = await Promise.all([
      context.waitForEvent("page"),
      first.evaluate(() => void window.open(location.href)), // takes a copy of the tab's storage along
    ]);
    const session = await game.connect(second, "alice");
    expect(session).not.toBe(await sessionOf(first));
    for (const page of [first, second]) await page.evaluate(() => globalThis.game.join("lobby"));
    await first.evaluate(() => globalThis.game.publish("lobby", "to both tabs"));
    for (const page of [first, second]) {
      await page.waitForFunction(() => globalThis.game.received.includes("to both tabs"));
      expect(await told(page)).toEqual(["connecting", "open"]);
    }
  });

  it("lets its connection go when it is told to freeze, and takes its session up when it runs again", async () => {
    const alice = await game.open(context, "alice", game.proxy.url);
    const bob = await game.open(await game.context(), "bob");
    await alice.evaluate(() => globalThis.game.join("lobby"));
    const session = await sessionOf(alice);
    // Browsers freeze pages only when they have been hidden for minutes, so the event is made here.
    await alice.evaluate(() => document.dispatchEvent(new Event("freeze")));
    await expect.poll(() => game.proxy.connections).toBe(0);
    const seen = await alice.evaluate(() => globalThis.game.statuses.findIndex(({ type }) => type === "suspended"));
    await alice.evaluate(() => document.dispatchEvent(new Event("resume")));
    expect(await alice.evaluate((from) => globalThis.game.status("open", from), seen)).toMatchObject({ resumed: true });
    expect(await sessionOf(alice)).toBe(session);
    await serves(alice, bob, "after the freeze");
    await bob.context().close();
  });

  it("does not keep its page out of the back-forward cache, and goes on where it was", async () => {
    const alice = await game.open(context, "alice", game.proxy.url);
    const session = await sessionOf(alice);
    // Playwright loses hold of pages that go into the cache, the browser's own protocol does not.
    const devtools = await context.newCDPSession(alice);
    const run = async (expression: string): Promise<unknown> => {
      const { result } = await devtools.send("Runtime.evaluate", {
        expression,
        returnByValue: true,
        awaitPromise: true,
      });
      return result.value;
    };
    await devtools.send("Page.navigate", { url: `${game.server.url}/other.html` });
    await expect.poll(() => run("location.pathname")).toBe("/other.html");
    await expect.poll(() => game.proxy.connections).toBe(0);
    const { entries, currentIndex } = await devtools.send("Page.getNavigationHistory");
    await devtools.send("Page.navigateToHistoryEntry", { entryId: entries[currentIndex - 1]?.id ?? 0 });
    await expect.poll(() => run("location.pathname")).toBe("/");
    // A page that was loaded anew has no client.
    await expect.poll(() => run("game.client().status")).toBe("open");
    expect(await run("game.statuses.filter(({ type }) => type !== 'latency').map(({ type }) => type).join()")).toBe(
      "connecting,open,suspended,connecting,open",
    );
    expect(await run("game.client().sessionId")).toBe(session);
    expect(await run("game.publish('lobby', 'still here')")).toBe(1);
  });
});
