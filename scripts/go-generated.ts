import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requireTool } from "../test/require-tool.ts";
import { command } from "./command.ts";

// node scripts/go-generated.ts [--check]: the Go code of the second server, made from proto/.
const template = "conformance/servers/go/buf.gen.yaml";
const generated = "conformance/servers/go/gen";
if (requireTool("go") === undefined) {
  console.log(`${generated} is left as it is`);
} else if (process.argv.includes("--check")) {
  await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-generated-"));
  await command(["buf", "generate", "--template", template, "--output", folder.path]);
  await command(["diff", "-r", "-q", generated, join(folder.path, generated)], { show: true });
  console.log(`${generated} is up to date`);
} else {
  await command(["buf", "generate", "--template", template], { show: true });
}
