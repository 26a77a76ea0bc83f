import { join } from "node:path";
import { requireTool } from "../test/require-tool.ts";
import { command } from "./command.ts";
import { root } from "./packages.ts";

// node scripts/go-module.ts <folder>: holds a Go module of this repository to Go's own rules and its tests. Where CI is `true`, the tests also look for
// data races, which takes a C compiler. `npm run conformance` holds it against the suite.
const folder = process.argv[2];
if (folder === undefined) throw new Error("the folder of a Go module is missing");
const cwd = join(root, folder);
const go = requireTool("go");
if (go !== undefined) {
  const unformatted = await command(["gofmt", "-l", "."], { cwd });
  if (unformatted !== "") throw new Error(`not as gofmt has it:\n${unformatted}`);
  await command([go, "build", "./..."], { cwd });
  await command([go, "vet", "./..."], { cwd });
  await command([go, "test", ...(process.env.CI === "true" ? ["-race"] : []), "./..."], { cwd, show: true });
}
