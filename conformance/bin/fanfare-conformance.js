#!/usr/bin/env node
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

// In the repository the runner works from its sources, which a published package does not have.
const source = fileURLToPath(new URL("../src/main.ts", import.meta.url));
if (existsSync(source)) {
  const node = process.execPath;
  process.execve(node, [node, "--conditions=@fanfare/source", source, ...process.argv.slice(2)]);
} else {
  await import("../dist/main.js");
}
