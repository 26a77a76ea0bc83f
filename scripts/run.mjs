// node scripts/run.mjs [--first <script>]... <script> [argument]...
//
// Installs what is missing, runs each `--first` script to its end, then becomes the last one: all of them on the pinned
// Node with the packages resolved to their sources. Plain JavaScript: this file itself runs on the machine's own Node.
import { spawn, spawnSync } from "node:child_process";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensureInstalled, pinnedNode } from "./ensure-installed.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const forwardedSignals = ["SIGINT", "SIGTERM", "SIGHUP"];

const first = [];
const last = process.argv.slice(2);
while (last[0] === "--first") first.push(last.splice(0, 2)[1]);
if (last.length === 0) fail("usage: node scripts/run.mjs [--first <script>]... <script> [argument]...");

await ensureInstalled(root).catch((error) => fail(error.message));
const node = pinnedNode(root);
const env = { ...process.env, PATH: join(root, "node_modules", ".bin") + delimiter + process.env.PATH };
for (const script of first) {
  const { status } = spawnSync(node, nodeArguments(script, []), { env, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
become(nodeArguments(last[0], last.slice(1)));

function nodeArguments(script, args) {
  return ["--conditions=@fanfare/source", join(root, script), ...args];
}

/** Replaces this process where Node can do that, so that signals and the exit code need nobody to pass them on. */
function become(args) {
  if (typeof process.execve === "function") {
    process.emitWarning = () => {};
    process.execve(node, [node, ...args], env);
  }
  const child = spawn(node, args, { env, stdio: "inherit" });
  for (const signal of forwardedSignals) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => fail(error.message));
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    for (const name of forwardedSignals) process.removeAllListeners(name);
    process.kill(process.pid, signal);
  });
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
