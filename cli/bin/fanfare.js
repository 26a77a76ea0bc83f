#!/usr/bin/env node
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";

// npx goes to the folder of the package around, and tells where it was called. What a command line names is meant from there.
const { npm_command: npmCommand, INIT_CWD: calledIn } = process.env;
if (npmCommand === "exec" && calledIn && !relative(process.cwd(), calledIn).startsWith("..")) process.chdir(calledIn);

// In the repository the command runs from its sources, which a published package does not have.
const source = fileURLToPath(new URL("../src/main.ts", import.meta.url));
if (existsSync(source)) {
  // What runs this file may be older than what runs TypeScript: that is installed with the packages.
  const pinned = fileURLToPath(new URL("../../node_modules/node/bin/node", import.meta.url));
  become(existsSync(pinned) ? pinned : process.execPath, [
    "--conditions=@fanfare/source",
    source,
    ...process.argv.slice(2),
  ]);
} else {
  await import("../dist/main.js");
}

/** Replaces this process where Node can do that, so that signals and the exit code need nobody to pass them on. */
function become(node, args) {
  if (typeof process.execve === "function") process.execve(node, [node, ...args]);
  const child = spawn(node, args, { stdio: "inherit" });
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    console.error(`fanfare: ${node} cannot be run: ${error.message}`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    for (const name of signals) process.removeAllListeners(name);
    process.kill(process.pid, signal);
  });
}
