#!/usr/bin/env node
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

// In the repository the command runs from its sources, which a published package does not have.
const source = fileURLToPath(new URL("../src/main.ts", import.meta.url));
if (existsSync(source)) {
  process.execve(process.execPath, [
    process.execPath,
    "--conditions=@fanfare/source",
    source,
    ...process.argv.slice(2),
  ]);
} else {
  await import("../dist/main.js");
}
