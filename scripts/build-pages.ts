import { existsSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { cp, rm } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { root } from "./packages.ts";

/** Browser pages: `main.ts` is bundled to `dist/main.js`, every file beside it that is no TypeScript is copied to `dist/`. */
const pages = ["cli/playground", "examples/iss-telemetry/page", "conformance/src/adapters/browser-sdk/page"];

/** Files that went into `dist/`, by path from the page's folder, with the time and size they had. */
type Inputs = Record<string, string>;

for (const page of pages) {
  const folder = join(root, page);
  if (!existsSync(join(folder, "main.ts")) || isFresh(folder)) continue;
  const startedAtMs = performance.now();
  await buildPage(folder);
  console.error(`Built ${page} in ${((performance.now() - startedAtMs) / 1000).toFixed(1)} s.`);
}

async function buildPage(folder: string): Promise<void> {
  // Not at the top: most runs find every page fresh, and then start sooner without it.
  const { build } = await import("esbuild");
  const out = join(folder, "dist");
  await rm(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const { metafile } = await build({
    absWorkingDir: folder,
    entryPoints: ["main.ts"],
    outdir: out,
    bundle: true,
    format: "esm",
    target: "es2022",
    conditions: ["@fanfare/source", "browser"],
    minify: true,
    sourcemap: true,
    metafile: true,
    logLevel: "warning",
  });
  const files = staticFiles(folder);
  for (const file of files) await cp(join(folder, file), join(out, basename(file)));
  const inputs = [...Object.keys(metafile.inputs), ...files, relative(folder, join(root, "package-lock.json"))];
  writeFileSync(join(out, "inputs.json"), JSON.stringify(stamps(folder, inputs)));
}

/** Whether everything the page was built from is as it was then. */
function isFresh(folder: string): boolean {
  const record = join(folder, "dist", "inputs.json");
  if (!existsSync(record)) return false;
  const then = JSON.parse(readFileSync(record, "utf8")) as Inputs;
  const now = stamps(folder, [...Object.keys(then), ...staticFiles(folder)]);
  return Object.keys(now).every((path) => now[path] === then[path]);
}

function staticFiles(folder: string): string[] {
  return globSync("*.{html,css,svg,json,ico}", { cwd: folder }).filter((file) => file !== "tsconfig.json");
}

function stamps(folder: string, paths: readonly string[]): Inputs {
  return Object.fromEntries(
    paths.map((path) => {
      const stat = statSync(join(folder, path), { throwIfNoEntry: false });
      return [path, stat === undefined ? "gone" : `${stat.mtimeMs} ${stat.size}`];
    }),
  );
}
