import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ChromiumPages } from "../../test/chromium-pages.ts";
import { requireTool } from "../../test/require-tool.ts";

interface Line {
  readonly time: string;
  readonly latitudeDeg: number;
  readonly longitudeDeg: number;
  readonly altitudeKm: number;
  readonly speedKmS: number;
  readonly groundKm: number;
}

const main = fileURLToPath(new URL("main.ts", import.meta.url));
const chromium = requireTool("chromium");

/** Runs the example from a moment at which its elements are young, and reads what it prints. */
function run(args: readonly string[] = []): { child: ChildProcess; lines: Interface } {
  const all = ["--conditions=@fanfare/source", main, "--json", "--at", "2026-08-26T00:00:00Z", ...args];
  const child = spawn(process.execPath, all, { stdio: ["ignore", "pipe", "inherit"] });
  if (child.stdout === null) throw new Error("no standard output");
  return { child, lines: createInterface(child.stdout) };
}

describe("npm run example:iss", () => {
  it("brings plausible positions to the subscriber, one a second, and ends by itself", async () => {
    const { child, lines } = run(["--seconds", "8"]);
    const printed: string[] = [];
    lines.on("line", (line) => printed.push(line));
    expect(await once(child, "close")).toEqual([0, null]);

    const positions = printed.slice(1).map((line) => JSON.parse(line) as Line);
    expect(positions.length).toBeGreaterThanOrEqual(3);
    for (const [i, { time, latitudeDeg, altitudeKm, speedKmS, groundKm }] of positions.entries()) {
      expect(altitudeKm).toBeGreaterThan(380);
      expect(altitudeKm).toBeLessThan(440);
      expect(Math.abs(latitudeDeg)).toBeLessThanOrEqual(51.8);
      expect(speedKmS).toBeCloseTo(7.66, 1);
      const before = positions[i - 1];
      if (before === undefined) continue;
      const seconds = (Date.parse(time) - Date.parse(before.time)) / 1000;
      expect(seconds).toBeGreaterThan(0);
      // 7.66 km/s at this height are 7.2 over the ground, a little more or less with the Earth's turning.
      expect((groundKm - before.groundKm) / seconds).toBeGreaterThan(6.8);
      expect((groundKm - before.groundKm) / seconds).toBeLessThan(7.5);
    }
  });

  it("ends with everything it has started when it is told to", async () => {
    const { child, lines } = run();
    const [first] = (await once(lines, "line")) as [string];
    const { fanfare } = JSON.parse(first) as { fanfare: string };
    await once(lines, "line"); // the first position
    child.kill("SIGINT");
    expect(await once(child, "close")).toEqual([0, null]); // `close` waits for whoever still has its standard output
    await expect(fetch(fanfare)).rejects.toThrow();
  });
});

describe("a part of the example", () => {
  it.each(["publisher.ts", "subscriber.ts"])("%s says that it needs a server", async (script) => {
    const file = fileURLToPath(new URL(script, import.meta.url));
    const args = ["--conditions=@fanfare/source", file, "--url", "http://127.0.0.1:1"];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "pipe"] });
    let said = "";
    child.stderr?.on("data", (data: Buffer) => {
      said += data.toString();
    });
    expect(await once(child, "close")).toEqual([1, null]);
    expect(said).toBe(
      "nothing answers at http://127.0.0.1:1: start `npm start` first, or name another server by --url\n",
    );
  });
});

describe.skipIf(chromium === undefined)("the page of the example", () => {
  let pages: ChromiumPages;
  let example: ReturnType<typeof run>;
  let url: string;
  beforeAll(async () => {
    pages = await ChromiumPages.start(chromium ?? "");
    example = run();
    const [first] = (await once(example.lines, "line")) as [string];
    url = (JSON.parse(first) as { page: string }).page;
    example.lines.resume();
  }, 60_000);
  afterAll(async () => {
    await pages?.[Symbol.asyncDispose]();
    if (example?.child.exitCode !== null) return;
    example.child.kill("SIGTERM");
    await once(example.child, "close");
  });

  it("draws the track as it arrives, states how old the elements are, and reports no error", async () => {
    const { page, problems } = await pages.open(url);
    await page.getByText("Live").waitFor();
    await page
      .getByText(/computed by SGP4 from elements of 25 August 2026, 8 hours old\. Good to a few kilometres/)
      .waitFor();
    await page.getByText(/^[4-9] positions$/).waitFor();
    const pointsOf = async (path: string) =>
      ((await page.locator(path).first().getAttribute("d")) ?? "").split("L").length;
    expect(await pointsOf("#overlay path.received")).toBeGreaterThanOrEqual(4);
    expect(await pointsOf("#overlay path.past")).toBeGreaterThan(150);
    expect(await pointsOf("#overlay path.future")).toBeGreaterThan(150);
    await page.locator("#overlay .station[visibility=visible]").waitFor();
    expect(await page.getByText(/^4\d\d\.\d km$/).count()).toBe(1);
    expect(problems).toEqual([]);
    await page.close();
  });

  it("gives its token to nobody who came by another name", async () => {
    const { port } = new URL(url);
    expect((await fetch(`http://127.0.0.1:${port}/connection.json`)).status).toBe(200);
    expect((await fetch(`http://localhost:${port}/connection.json`)).status).toBe(403);
  });
});
