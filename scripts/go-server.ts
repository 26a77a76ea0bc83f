import { join } from "node:path";
import { requireTool } from "../test/require-tool.ts";
import { command } from "./command.ts";
import { root } from "./packages.ts";

// node scripts/go-server.ts: holds the second server to Go's own rules and its tests. Where CI is `true`, the tests also look for data races, which takes
// a C compiler. `npm run conformance` holds it against the suite.
const folder = join(root, "conformance/servers/go");
const go = requireTool("go");
if (go !== undefined) {
  const unformatted = await command(["gofmt", "-l", "."], { cwd: folder });
  if (unformatted !== "") throw new Error(`not as gofmt has it:\n${unformatted}`);
  await command([go, "build", "./..."], { cwd: folder });
  await command([go, "vet", "./..."], { cwd: folder });
  await command([go, "test", ...(process.env.CI === "true" ? ["-race"] : []), "./..."], { cwd: folder, show: true });
}
