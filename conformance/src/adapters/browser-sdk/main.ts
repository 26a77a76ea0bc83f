import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { ClientCommandSchema, ClientReportSchema } from "@fanfare/proto/conformance/v1alpha";
import { chromium } from "playwright-core";
import { framed, readFramed } from "../length-prefixed.ts";
import { findChromium } from "./find-chromium.ts";

// The adapter of @fanfare/sdk-browser: a page in a real Chromium does what commands on standard input say, and its reports go to standard output.
// `--origin` is the page's origin, for servers that admit pages of certain origins alone; nobody has to serve it.
const { values } = parseArgs({ options: { origin: { type: "string", default: "http://127.0.0.1" } } });
const script = fileURLToPath(new URL("page/dist/main.js", import.meta.url));
if (!existsSync(script)) {
  console.error("the page is not built: node --conditions=@fanfare/source scripts/build-pages.ts");
  process.exit(1);
}

const browser = await chromium.launch({
  executablePath: findChromium(),
  args: [
    ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
    ...["--disable-component-update", "--disable-sync"],
    // A page of a public origin would have to ask its user before it may reach this machine.
    "--disable-features=LocalNetworkAccessChecks",
  ],
});
const page = await browser.newPage();
page.on("pageerror", (error) => console.error(error));
page.on("crash", () => {
  console.error("the page crashed");
  process.exit(1);
});
await page.exposeBinding("report", (_source, base64: string) => {
  const report = fromBinary(ClientReportSchema, Buffer.from(base64, "base64"));
  process.stdout.write(framed(ClientReportSchema, report));
});
const document =
  '<!doctype html><meta charset="utf-8"><title>Fanfare</title><script type="module" src="main.js"></script>';
await page.route(`${values.origin}/`, (route) => route.fulfill({ contentType: "text/html", body: document }));
await page.route(`${values.origin}/main.js`, (route) => route.fulfill({ path: script }));
await page.goto(values.origin);
for await (const command of readFramed(ClientCommandSchema, process.stdin)) {
  const base64 = Buffer.from(toBinary(ClientCommandSchema, command)).toString("base64");
  await page.evaluate((text) => (globalThis as unknown as { command(text: string): void }).command(text), base64);
}
await browser.close();
process.exit(0);
