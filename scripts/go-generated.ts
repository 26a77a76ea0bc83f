import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requireTool } from "../test/require-tool.ts";
import { command } from "./command.ts";

// node scripts/go-generated.ts [--check]: the Go code of the second server and of the Go client, made from proto/.
const folders = ["conformance/servers/go", "conformance/clients/go"];
for (const folder of folders) {
  const template = `${folder}/buf.gen.yaml`;
  const generated = `${folder}/gen`;
  if (requireTool("go") === undefined) {
    console.log(`${generated} is left as it is`);
  } else if (process.argv.includes("--check")) {
    await using temporary = await mkdtempDisposable(join(tmpdir(), "fanfare-generated-"));
    await command(["buf", "generate", "--template", template, "--output", temporary.path]);
    await command(["diff", "-r", "-q", generated, join(temporary.path, generated)], { show: true });
    console.log(`${generated} is up to date`);
  } else {
    await command(["buf", "generate", "--template", template], { show: true });
  }
}
