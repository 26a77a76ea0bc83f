import { mkdir, mkdtempDisposable, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { command } from "./command.ts";
import { entryPoints, manifest, publishedPackages, root } from "./packages.ts";
import { checkPackedConformance } from "./packed-conformance.ts";

// Builds and packs every published package, installs the tarballs together in an empty folder outside of the repository,
// and compiles against and imports each public entry point, without the condition that leads to the sources.
await command(["node", "scripts/build.ts"]);
await using folder = await mkdtempDisposable(join(tmpdir(), "fanfare-packed-"));
const tarballs: string[] = [];
for (const workspace of publishedPackages) {
  const printed = await command(["npm", "pack", "--json", "--loglevel=error", "--pack-destination", folder.path], {
    cwd: join(root, workspace),
  });
  tarballs.push(join(folder.path, tarballName(printed)));
}

const consumer = join(folder.path, "consumer");
await mkdir(consumer);
await writeFile(join(consumer, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
await command(["npm", "install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error", ...tarballs], {
  cwd: consumer,
});

const specifiers = publishedPackages.flatMap(entryPoints).map(({ specifier }) => specifier);
const compilerOptions = {
  ...{ module: "NodeNext", target: "ES2024", lib: ["ES2024", "ESNext", "DOM"], strict: true, noEmit: true },
  ...{ typeRoots: [join(root, "node_modules/@types")], types: ["node"] },
};
await writeFile(join(consumer, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["types.ts"] }));
const imports = specifiers.map((specifier, i) => `export * as package${i} from "${specifier}";\n`);
await writeFile(join(consumer, "types.ts"), imports.join(""));
await command(["tsc", "-p", "."], { cwd: consumer });
console.log("types resolve");

const plainNode = { cwd: consumer, env: { NODE_OPTIONS: "" } };
for (const specifier of specifiers) {
  const check = `const names = Object.keys(await import(${JSON.stringify(specifier)})); if (names.length === 0) throw new Error("exports nothing");`;
  await command(["node", "--input-type=module", "--eval", check], plainNode);
  console.log(`${specifier} imports`);
}
for (const name of publishedPackages.flatMap((workspace) => Object.keys(manifest(workspace).bin ?? {}))) {
  const help = await command([join("node_modules/.bin", name), "--help"], plainNode);
  if (!help.includes(name)) throw new Error(`${name} --help printed no help`);
  console.log(`${name} --help runs`);
}
await checkPackedConformance(consumer);

function tarballName(printed: string): string {
  const [packed] = JSON.parse(printed) as { filename: string }[];
  if (packed === undefined) throw new Error("npm pack named no file");
  return packed.filename;
}
