import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ChromiumPages, type WatchedPage } from "../../../test/chromium-pages.ts";
import { requireTool } from "../../../test/require-tool.ts";
import { type DevServer, startDevServer } from "../../src/testing/dev-server.ts";

const chromium = requireTool("chromium");

describe.skipIf(chromium === undefined)("the playground", () => {
  let pages: ChromiumPages;
  let server: DevServer;
  beforeAll(async () => {
    pages = await ChromiumPages.start(chromium ?? "");
    server = await startDevServer();
  }, 60_000);
  afterAll(async () => {
    await pages?.[Symbol.asyncDispose]();
    await server?.process[Symbol.asyncDispose]();
  });

  /** Opens the page with two players of names that no other test uses, both connected and in the lobby. */
  async function open(left: string, right: string): Promise<WatchedPage & { one: Locator; two: Locator }> {
    const watched = await pages.open(`${server.url}/?left=${left}&right=${right}`);
    const [one, two] = ["Player 1", "Player 2"].map((name) => watched.page.getByRole("region", { name }));
    if (one === undefined || two === undefined) throw new Error("no players");
    for (const card of [one, two]) await present(card).getByText(left).waitFor();
    for (const card of [one, two]) await present(card).getByText(right).waitFor();
    return { ...watched, one, two };
  }

  const present = (card: Locator) => card.getByRole("list", { name: "Present in lobby" });
  const log = (card: Locator) => card.getByRole("log");
  const status = (card: Locator) => card.getByRole("status").first();
  const delivery = (card: Locator) => card.getByRole("status").last();

  async function send(card: Locator, to: string, text: string, name?: string, as = "Text"): Promise<void> {
    await card.getByLabel("To", { exact: true }).selectOption(to);
    if (name !== undefined) await card.getByRole("textbox", { name: "Name" }).last().fill(name);
    await card.getByLabel("As", { exact: true }).selectOption(as);
    await card.getByRole("textbox", { name: "Message" }).fill(text);
    await card.getByRole("button", { name: "Send" }).click();
  }

  it("lets two players exchange by group, player and broadcast, and reports who was reached", async () => {
    const { page, problems, one, two } = await open("ann", "ben");
    await send(one, "Group", "hello lobby", "lobby");
    await log(two).getByText("hello lobby").waitFor();
    await log(one).getByText("hello lobby").waitFor();
    await delivery(one)
      .getByText(/^DELIVERED · 2 reached · [\d.]+ ms$/)
      .waitFor();

    await send(two, "Player", '{"gold": 10}', "ann", "JSON");
    await log(one).getByText('{"gold":10}').waitFor();
    await delivery(two)
      .getByText(/^DELIVERED · 1 reached/)
      .waitFor();
    expect(await log(two).getByText('{"gold":10}').count()).toBe(0);

    await send(one, "Everybody", "hello all");
    await log(two).locator("li", { hasText: "everybody" }).getByText("hello all").waitFor();

    await send(one, "Player", "anybody?", "nobody-here");
    await delivery(one)
      .getByText(/^OFFLINE · 0 reached/)
      .waitFor();

    await one.getByRole("checkbox", { name: "Not to me" }).check();
    await send(one, "Group", "only to others", "lobby");
    await log(two).getByText("only to others").waitFor();
    await delivery(one)
      .getByText(/^DELIVERED · 1 reached · 1 left out/)
      .waitFor();
    expect(await log(one).getByText("only to others").count()).toBe(0);
    expect(problems).toEqual([]);
    await page.close();
  });

  it("says what is wrong with a message that is no JSON, and keeps it", async () => {
    const { page, one } = await open("cid", "dot");
    await send(one, "Group", "{oops", "lobby", "JSON");
    await delivery(one)
      .getByText(/^Not sent: /)
      .waitFor();
    expect(await one.getByRole("textbox", { name: "Message" }).inputValue()).toBe("{oops");
    await page.close();
  });

  it("shows who comes and goes, and talks to a second tab", async () => {
    const { page, one, two } = await open("eva", "fay");
    const { page: tab, two: second } = await open("gus", "eva");
    await present(one).getByText("eva ×2").waitFor();
    await send(second, "Group", "from the other tab", "lobby");
    await log(two).getByText("from the other tab").waitFor();
    await tab.close();
    await two.getByRole("button", { name: "Leave lobby" }).click();
    await present(one).getByText("fay").waitFor({ state: "detached" });
    await two.getByRole("textbox", { name: "Group" }).fill("lobby");
    await two.getByRole("button", { name: "Join", exact: true }).click();
    await present(one).getByText("fay").waitFor();
    await two.getByRole("button", { name: "Disconnect" }).click();
    await present(one).getByText("fay").waitFor({ state: "detached" });
    await status(two).getByText("Disconnected").waitFor();
    await page.close();
  });

  it("resumes the session when its transport is dropped, and says that something may have been missed", async () => {
    const { page, problems, one, two } = await open("hal", "ida");
    await two.getByRole("button", { name: "Drop transport" }).click();
    await two.getByText(/session resumed 1×/).waitFor();
    await log(two).getByText("Connection lost").waitFor();
    await log(two)
      .getByText(/Messages to .*lobby.* may have been missed\./)
      .waitFor();
    await send(one, "Group", "welcome back", "lobby");
    await log(two).getByText("welcome back").waitFor();
    const frames = page.getByRole("region", { name: "Frames" });
    await frames.getByText("attempt 2, resume").waitFor();
    await frames.getByText("ida, session resumed").waitFor();
    expect(problems).toEqual([]);
    await page.close();
  });

  it("counts down to the next attempt while there is no server, and says what became of what waits", async () => {
    const own = await startDevServer();
    await using process = own.process;
    const { page } = await pages.open(own.url);
    const card = page.getByRole("region", { name: "Player 1" });
    await card.getByRole("button", { name: "Send", disabled: false }).waitFor();
    process.kill("SIGKILL");
    await status(card).getByText("Connection lost").waitFor();
    await card.getByText(/^next attempt in \d+\.\d s$/).waitFor();
    await send(card, "Everybody", "is anybody there?");
    await delivery(card).getByText("Sending…").waitFor();
    await card.getByRole("button", { name: "Disconnect" }).click();
    await delivery(card)
      .getByText(/\(FAILED\)|\(UNKNOWN\)/)
      .waitFor();
    await status(card).getByText("Disconnected").waitFor();
    await page.close();
  });

  it("shows every frame, opened to what it holds, filtered, paused and cleared", async () => {
    const { page, one, two } = await open("jan", "kim");
    const frames = page.getByRole("region", { name: "Frames" });
    const rows = frames.locator("details");
    await send(one, "Group", '{"score": [1, 2]}', "lobby", "JSON");
    await log(two).getByText('{"score":[1,2]}').waitFor();
    await frames.getByRole("searchbox", { name: "Filter" }).fill("publish");
    await rows.filter({ hasText: "to lobby" }).click();
    await frames.getByText('"group": "lobby"').waitFor();
    await frames.getByText(/"score": \[/).waitFor(); // what the JSON holds, and not a string
    expect(await rows.filter({ hasText: "hello" }).count()).toBe(0);

    await frames.getByRole("searchbox", { name: "Filter" }).fill("");
    const hello = rows.filter({ hasText: "attempt 1, new session" }).first();
    await hello.click();
    await hello.getByText('"token": "[secret]"').waitFor();

    await frames.getByRole("button", { name: "Pause" }).click();
    const before = await rows.count();
    await send(one, "Group", "while paused", "lobby");
    await log(two).getByText("while paused").waitFor();
    await frames.getByText(/paused, [1-9]\d* held/).waitFor();
    expect(await rows.count()).toBe(before);
    await frames.getByRole("button", { name: "Go on" }).click();
    await frames.getByText("to lobby: while paused").waitFor();
    await frames.getByRole("button", { name: "Clear" }).click();
    await frames.getByText(/^0 shown/).waitFor();
    await page.close();
  });

  it("keeps the last 500 frames and no more", async () => {
    const { page, one } = await open("liv", "mia");
    const control = `${server.url}/fanfare.control.v1.ControlService/Publish`;
    const publication = { channels: [{ player: "liv" }], payload: { text: "flood" } };
    const response = await fetch(control, {
      method: "POST",
      headers: { authorization: `Bearer ${server.apiKey}`, "content-type": "application/json" },
      body: JSON.stringify({ publications: Array.from({ length: 600 }, () => publication) }),
    });
    expect(response.status).toBe(200);
    await page.getByText("the last 500 are kept").waitFor();
    expect(await page.locator("details.frame").count()).toBe(500);
    expect(await log(one).locator("li").count()).toBe(200);
    await page.close();
  });

  it("can be used by keyboard alone", async () => {
    const { page, one, two } = await open("noa", "ole");
    const focused = () => page.evaluate(() => document.activeElement?.ariaLabel ?? "");
    const press = (key: string) => page.keyboard.press(key);
    await tabTo(page, one.getByRole("textbox", { name: "Group" }));
    await page.keyboard.type("den");
    await press("Enter");
    await one.getByRole("list", { name: "Present in den" }).getByText("noa").waitFor();
    await tabTo(page, one.getByRole("textbox", { name: "Message" }));
    await page.keyboard.type("by keyboard");
    await press("Enter");
    await log(two).getByText("by keyboard").waitFor();
    expect(await focused()).toBe("Message"); // ready for the next one
    const outline = await one
      .getByRole("textbox", { name: "Message" })
      .evaluate((node) => getComputedStyle(node).outlineStyle);
    expect(outline).toBe("solid");
    await tabTo(page, two.getByRole("button", { name: "Drop transport" }));
    await press("Enter");
    await two.getByText(/session resumed 1×/).waitFor();
    const row = page.locator("details.frame", { hasText: "by keyboard" }).first();
    await tabTo(page, row.locator("summary"));
    await press("Enter");
    await row.locator("pre").waitFor();
    await press("Shift+Tab"); // and out of the list again
    expect(await row.locator("summary").evaluate((node) => node === document.activeElement)).toBe(false);
    await page.close();
  });

  /** Presses Tab until an element has the focus; fails if it cannot be reached. */
  async function tabTo(page: Page, wanted: Locator): Promise<void> {
    for (let presses = 0; presses < 200; presses++) {
      await page.keyboard.press("Tab");
      if (await wanted.evaluate((node) => node === document.activeElement)) return;
    }
    throw new Error("not reached by Tab");
  }

  it("needs no scrolling sideways on a phone", async () => {
    const { page } = await pages.open(server.url, { viewport: { width: 360, height: 740 } });
    await page.getByRole("list", { name: "Present in lobby" }).first().getByText("alice").waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    await page.close();
  });
});
