import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { devConfig, loadConfig, startServer } from "@fanfare/server";
import { refuseUsage, scriptOptions } from "../../scripts/script-options.ts";
import { developmentCredentials } from "./development-credentials.ts";
import { servePage } from "./page-server.ts";
import { processSignal } from "./process-signal.ts";

const values = scriptOptions(
  `npm run example:iss -- [options]

Runs a development server, the publisher, a subscriber and the page, until Ctrl-C.

  --seconds <n>  end after so many
  --at <time>    begin at another time, such as 2026-08-26T00:00:00Z
  --json         print a line of JSON for each position; with npm run -s, or npm prints lines of its own before
  --help         print this

npm run example:iss -- --seconds 30`,
  { seconds: { type: "number", max: 86_400 }, at: { type: "string" }, json: { type: "boolean" } },
);
if (values.at !== undefined && Number.isNaN(Date.parse(values.at))) {
  refuseUsage(`--at takes a time such as 2026-08-26T00:00:00Z, and not "${values.at}".`);
}
const told = processSignal();
const ended = new AbortController();
const stop = AbortSignal.any([
  told,
  ended.signal,
  ...(values.seconds === undefined ? [] : [AbortSignal.timeout(values.seconds * 1000)]),
]);

const { config, tokenSecret, apiKey } = devConfig();
const environment = { FANFARE_LISTEN_PORT: "0" };
await using server = await startServer({
  config: loadConfig({ base: config, environment }),
  devSecrets: { tokenSecret, apiKey },
});
await using page = await servePage({
  fanfareUrl: server.url,
  mintToken: async () => (await developmentCredentials(server.url, "viewer")).token,
});
if (values.json) console.log(JSON.stringify({ page: page.url, fanfare: server.url }));
else console.log(`The map:  ${page.url}\nFanfare:  ${server.url}\nCtrl-C ends it.\n`);

const children = [
  start("publisher.ts", values.at === undefined ? [] : ["--at", values.at]),
  start("subscriber.ts", values.json ? ["--json"] : []),
];
if (!stop.aborted) await once(stop, "abort");
await Promise.all(children.map(end));
await server.drain({ windowMs: 0, deadlineMs: 500 }).done;

/** Runs a script beside this one as a process of its own. When it ends by itself, so does everything. */
function start(script: string, args: readonly string[]): ChildProcess {
  const file = new URL(script, import.meta.url).pathname;
  const child = spawn(process.execPath, [...process.execArgv, file, "--url", server.url, ...args], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  child.once("exit", (code, signal) => {
    if (stop.aborted) return;
    console.error(`${script} has ended (${signal ?? code})`);
    process.exitCode = 1;
    ended.abort();
  });
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const isLate = sleep(3000, true, { ref: false });
  if ((await Promise.race([exited, isLate])) !== true) return;
  console.error(`${child.spawnargs.join(" ")} did not end and was killed`);
  process.exitCode = 1;
  child.kill("SIGKILL");
}
