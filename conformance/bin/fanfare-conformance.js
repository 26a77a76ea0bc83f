#!/usr/bin/env node
import { existsSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";

// npx goes to the folder of the package around, and tells where it was called. What a command line names is meant from there.
const { npm_command: npmCommand, INIT_CWD: calledIn } = process.env;
if (npmCommand === "exec" && calledIn && !relative(process.cwd(), calledIn).startsWith("..")) process.chdir(calledIn);

// In the repository the runner works from its sources, which a published package does not have.
const source = fileURLToPath(new URL("../src/main.ts", import.meta.url));
if (existsSync(source)) {
  const node = process.execPath;
  process.execve(node, [node, "--conditions=@fanfare/source", source, ...process.argv.slice(2)]);
} else {
  await import("../dist/main.js");
}
