import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's folder. */
export const root = fileURLToPath(new URL("..", import.meta.url));

/** Folders of the packages that are published, each after those it depends on. */
export const publishedPackages = [
  ...(["proto", "sdk-core", "sdk-browser", "sdk-node", "server", "cli", "conformance"] as const),
] as const;

/** What the scripts read of a package.json. */
export interface Manifest {
  name: string;
  version: string;
  bin?: Record<string, string>;
  exports: Record<string, string | { "@fanfare/source": string; types: string; default: string }>;
}

/** Reads the package.json of a workspace. */
export function manifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as Manifest;
}

/** The public entry points of a package, without `package.json`: its export name and its source file. */
export function entryPoints(folder: string): { specifier: string; source: string }[] {
  const { name, exports } = manifest(folder);
  return Object.entries(exports).flatMap(([path, target]) =>
    typeof target === "string"
      ? []
      : [{ specifier: join(name, path).replace(/\/$/, ""), source: join(root, folder, target["@fanfare/source"]) }],
  );
}
