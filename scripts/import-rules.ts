import { readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { publishedPackages, root } from "./packages.ts";
import { repositoryFiles } from "./repository-files.ts";

/** An import that points where it must not. */
export interface Violation {
  file: string;
  specifier: string;
  /** The rule it breaks, in a sentence. */
  rule: string;
}

/** Folders of server/src from the listeners down; one imports only what stands lower. Folders not named are leaves: rank 0. */
const serverRanks: Record<string, number> = {
  http: 5,
  gateway: 4,
  control: 4,
  hub: 3,
  router: 2,
  backend: 1,
  broker: 1,
  log: 1,
};

/** Files that know every part of the server; no part knows them. */
const assemblies = new Set(["server/src/index.ts", "server/src/server.ts"]);

/** What each SDK package may import beside its own files, outside of its tests. */
const sdkImports: Record<string, readonly string[]> = {
  "sdk-core": ["@bufbuild/protobuf", "@fanfare/proto"],
  "sdk-browser": ["@bufbuild/protobuf", "@fanfare/proto", "@fanfare/sdk-core"],
};

/** Module specifiers of a TypeScript file: static, re-exported, type-only and dynamic imports alike. */
export function importsOf(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, "$1");
  const found = code.matchAll(/(?:^|[\s;}*])(?:from|import)\s*\(?\s*"([^"\n]+)"/g);
  return [...found].map((match) => match[1] ?? "");
}

/** The imports of one file that break a rule. `file` is its path from the repository's folder, with forward slashes. */
export function forbiddenImports(file: string, source: string): Violation[] {
  return importsOf(source).flatMap((specifier) => {
    const rule = brokenRule(file, specifier);
    return rule === undefined ? [] : [{ file, specifier, rule }];
  });
}

function brokenRule(file: string, specifier: string): string | undefined {
  const [workspace = "", source] = file.split("/");
  if (source !== "src") return undefined;
  const isTest = /\.(spec(-d)?|contract)\.ts$/.test(file) || file.includes("/testing/");
  const target = specifier.startsWith(".") ? posix.join(dirname(file), specifier) : undefined;

  if (packageOf(specifier) === "@valkey/valkey-glide" && !file.includes("/valkey/")) {
    return "GLIDE is imported in valkey/ folders alone";
  }
  if (workspace === "server" && /^@fanfare\/sdk-/.test(specifier)) return "the server never imports an SDK";
  if (isTest) return undefined;
  if (
    target !== undefined &&
    !target.startsWith(`${workspace}/`) &&
    publishedPackages.some((name) => name === workspace)
  ) {
    return "packages reach each other by their names";
  }
  const allowed = sdkImports[workspace];
  if (target === undefined && allowed !== undefined && !allowed.includes(packageOf(specifier))) {
    return `${workspace} imports only ${allowed.join(", ")} and its own files`;
  }
  return workspace === "server" && target !== undefined ? brokenServerRule(file, target) : undefined;
}

function brokenServerRule(file: string, target: string): string | undefined {
  const from = serverFolder(file);
  const to = serverFolder(target);
  if (from === undefined || from === to) return undefined;
  if (assemblies.has(target)) return "only the assembly file knows all parts";
  if (to === undefined) return undefined;
  const fromRank = serverRanks[from] ?? 0;
  const toRank = serverRanks[to] ?? 0;
  if (toRank === 0 || toRank < fromRank) return undefined;
  return `${from} does not import ${to}: http -> gateway -> hub -> router -> broker/log, control -> router and hub`;
}

/** The part of the server that a file belongs to; undefined for files directly in server/src. */
function serverFolder(file: string): string | undefined {
  const [, , folder, rest] = file.split("/");
  return rest === undefined ? undefined : folder;
}

function packageOf(specifier: string): string {
  const parts = specifier.split("/");
  return parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

if (import.meta.main) {
  const files = repositoryFiles().filter((file) => file.endsWith(".ts"));
  const violations = files.flatMap((file) => forbiddenImports(file, readFileSync(join(root, file), "utf8")));
  for (const { file, specifier, rule } of violations) console.error(`${file} imports ${specifier}: ${rule}`);
  console.log(`${files.length} files, ${violations.length} forbidden imports`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
