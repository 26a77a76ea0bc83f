// Fanfare's own server as a disposable server of a target.yaml: it serves with the fixtures on a port of its own choice, prints one line that says
// where, and ends with its standard input. Write yours like it, or name the addresses of one that runs.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadConfig, startServer } from "@fanfare/server";

const fixtures = new URL("fixtures/server-config.yaml", import.meta.resolve("@fanfare/conformance/package.json"));
const config = loadConfig({ text: readFileSync(fileURLToPath(fixtures), "utf8"), environment: {} });
const server = await startServer({ config });
const addresses = server.urls.map((url) => `${url.replace(/^http/, "ws")}/v1/connect`);
console.log(JSON.stringify({ addresses, controlUrl: server.url }));
process.stdin.resume().once("end", () => void server.close());
