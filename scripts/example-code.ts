import { mkdtempDisposable, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "./command.ts";
import { writeOrCheck } from "./generated-file.ts";

// The code of an example's own messages. It is a module of its own: what an example sends is no part of Fanfare.
const proto = "examples/iss-telemetry/proto";
const file = "iss/v1/telemetry_pb.ts";
const plugin = {
  local: ["node", "node_modules/@bufbuild/protoc-gen-es/bin/protoc-gen-es"],
  out: ".",
  opt: ["target=ts"],
};

await command(["buf", "lint", proto], { show: true });
await command(["buf", "format", "--diff", "--exit-code", proto], { show: true });
await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-example-"));
const template = JSON.stringify({ version: "v2", plugins: [plugin] });
await command(["buf", "generate", proto, "--template", template, "--output", folder.path]);
const content = await readFile(join(folder.path, file), "utf8");
writeOrCheck([{ path: `examples/iss-telemetry/gen/${file}`, content }], "npm run proto");
