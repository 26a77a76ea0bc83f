import { mkdtempDisposable, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "./command.ts";
import { entryPoints, manifest, root } from "./packages.ts";

// npm run docs: the reference of the protocol as pages of docs/reference, and that of the SDKs, each read under its own tsconfig.json and then laid out as one site. typedoc needs
// the compiler's JavaScript API, so docs/ has a TypeScript of its own. Warnings fail.
const docs = join(root, "docs");
const typedoc = join(docs, "node_modules/.bin/typedoc");
const site = join(docs, "reference/site");

await command(["node", "--conditions=@fanfare/source", "scripts/protocol-reference.ts"], { show: true });
await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-docs-"));
const models: string[] = [];
for (const workspace of ["sdk-core", "sdk-browser", "sdk-node"]) {
  const model = join(folder.path, `${workspace}.json`);
  const sources = entryPoints(workspace).map(({ source }) => source);
  const options = ["--name", manifest(workspace).name, "--tsconfig", join(root, workspace, "tsconfig.json")];
  await command([typedoc, ...options, "--json", model, ...sources], { cwd: docs, show: true });
  models.push(model);
}
await rm(site, { recursive: true, force: true });
const layout = ["--entryPointStrategy", "merge", "--name", "Fanfare SDKs", "--out", site];
await command([typedoc, ...layout, ...models], { cwd: docs, show: true });
