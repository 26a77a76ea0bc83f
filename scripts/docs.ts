import { mkdtempDisposable, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandError, command } from "./command.ts";
import { entryPoints, manifest, root } from "./packages.ts";
import { scriptOptions } from "./script-options.ts";

scriptOptions(
  `npm run docs

Writes the reference of the protocol as pages of docs/reference, and that of the SDKs into docs/reference/site. Exits with 1 at
a warning, after all of them have been shown.

  --help  print this`,
  {},
);

// Each SDK is read under its own tsconfig.json, and then all are laid out as one site. typedoc needs the compiler's JavaScript
// API, so docs/ has a TypeScript of its own.
const site = join(root, "docs/reference/site");
let failed = false;

async function step(...words: [string, ...string[]]): Promise<void> {
  await command(words, { cwd: join(root, "docs"), show: true }).catch((error: unknown) => {
    if (!(error instanceof CommandError)) throw error;
    console.error(error.message);
    failed = true;
  });
}

const typedoc = join(root, "docs/node_modules/.bin/typedoc");
await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-docs-"));
await step("node", "--conditions=@fanfare/source", join(root, "scripts/protocol-reference.ts"));
const models: string[] = [];
for (const workspace of ["sdk-core", "sdk-browser", "sdk-node"]) {
  const model = join(folder.path, `${workspace}.json`);
  const sources = entryPoints(workspace).map(({ source }) => source);
  const options = ["--name", manifest(workspace).name, "--tsconfig", join(root, workspace, "tsconfig.json")];
  // sdk-core declares the few runtime types it needs; they are no part of what it offers. Frames are in the protocol's reference.
  if (workspace === "sdk-core") {
    for (const name of ["AbortSignal", "ServerFrame"]) options.push("--intentionallyNotExported", name);
  }
  await step(typedoc, ...options, "--json", model, ...sources);
  models.push(model);
}
if (!failed) {
  await rm(site, { recursive: true, force: true });
  await step(typedoc, "--entryPointStrategy", "merge", "--name", "Fanfare SDKs", "--out", site, ...models);
}
process.exitCode = failed ? 1 : 0;
