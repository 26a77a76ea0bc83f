import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { loadConfig, startServer } from "@fanfare/server";
import { fixtureFile } from "../target/fixtures.ts";

// Fanfare's own server with the fixtures, as a disposable server of docs/guide/fixtures.md: it prints where it serves, moves its clients when
// it is told to, and ends with its standard input.
const config = loadConfig({ text: readFileSync(fixtureFile("server-config.yaml"), "utf8"), environment: {} });
await using server = await startServer({ config });
const addresses = server.urls.map((url) => `${url.replace(/^http/, "ws")}/v1/connect`);
console.log(JSON.stringify({ addresses, controlUrl: server.url }));

interface Line {
  readonly move?: { readonly windowMs: number; readonly deadlineMs: number };
}

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { move } = JSON.parse(line) as Line;
  if (move !== undefined) void server.drainListener(0, 1, move).done;
});
await new Promise<void>((resolve) => {
  lines.once("close", resolve);
  void server.closed.then(() => resolve());
});
