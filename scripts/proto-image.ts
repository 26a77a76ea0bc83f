import { writeFileSync } from "node:fs";
import { mkdtempDisposable, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "./command.ts";
import { root } from "./packages.ts";
import { scriptOptions } from "./script-options.ts";

scriptOptions(
  `npm run proto:image

Writes proto/image/v1.json, which \`buf breaking\` holds the proto files against, anew. At a release only: it is what v1 has
promised so far.

  --help  print this`,
  {},
);

const imageFile = join(root, "proto/image/v1.json");

await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-image-"));
const built = join(folder.path, "image.json");
await command(["buf", "build", "--exclude-source-info", "-o", built]);
const { file } = JSON.parse(await readFile(built, "utf8")) as { file: unknown[] };
// One proto file a line: small, and a diff shows which of them changed.
writeFileSync(imageFile, `{"file":[\n${file.map((entry) => JSON.stringify(entry)).join(",\n")}\n]}\n`);
console.log(`Wrote proto/image/v1.json: ${file.length} files.`);
