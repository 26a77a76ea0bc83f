import { dirname } from "node:path";
import { command } from "./command.ts";
import { generators } from "./generators.ts";
import { repositoryFiles } from "./repository-files.ts";

/** One thing that `npm run check` holds the repository to. */
export interface CheckStep {
  name: string;
  /** Shown with a failure: what to run or where to look. */
  hint: string;
  /** Rejects when the check fails; with a CommandError, what the command printed is shown. */
  run(): Promise<unknown>;
}

/** All steps, the quick ones first. */
export const checkSteps: readonly CheckStep[] = [
  { name: "biome", hint: "npm run fix", run: () => command(["biome", "check", "--error-on-warnings"]) },
  { name: "proto-lint", hint: "buf.yaml has the rules", run: () => command(["buf", "lint"]) },
  { name: "proto-format", hint: "npx buf format -w", run: () => command(["buf", "format", "--diff", "--exit-code"]) },
  {
    name: "proto-breaking",
    hint: "v1 keeps what it promised: add, never change or remove",
    run: () => command(["buf", "breaking", "--against", "proto/image/v1.json"]),
  },
  { name: "generated:code", hint: "npm run proto", run: () => script("generated-code.ts") },
  { name: "import-rules", hint: "scripts/import-rules.ts has the rules", run: () => script("import-rules.ts") },
  { name: "file-length", hint: "split by concept", run: () => script("file-length.ts") },
  ...generators.map((name) => ({
    name: `generated:${name.replace(".ts", "")}`,
    hint: "npm run proto",
    run: () => script(name, "--check"),
  })),
  ...typeSteps(),
  ...["servers/go", "clients/go"].map((name) => ({
    name: `go:${name}`,
    hint: `node scripts/go-module.ts conformance/${name}: build, vet and test`,
    run: () => script("go-module.ts", `conformance/${name}`),
  })),
  {
    name: "python-client",
    hint: "python3 conformance/clients/python/check.py --fix: style, types and tests",
    run: () => script("python-client.ts"),
  },
  { name: "unused", hint: "knip.json has the entry points", run: () => command(["knip", "--no-progress"]) },
  {
    name: "bundle-size",
    hint: "node scripts/bundle-size.ts shows what takes the room",
    run: () => script("bundle-size.ts", "--check"),
  },
  { name: "packages", hint: "node scripts/packed-packages.ts", run: () => script("packed-packages.ts") },
];

/** One step for each tsconfig.json that has sources. */
function typeSteps(): CheckStep[] {
  const files = repositoryFiles();
  const folders = files
    .filter((file) => file.endsWith("/tsconfig.json"))
    .map((file) => dirname(file))
    .filter((folder) => files.some((file) => file.startsWith(`${folder}/`) && file.endsWith(".ts")));
  return [".", ...folders.sort()].map((folder) => ({
    name: `types:${folder === "." ? "scripts" : folder}`,
    hint: `npx tsc -p ${folder}`,
    run: () => command(["tsc", "-p", folder]),
  }));
}

function script(name: string, ...args: string[]): Promise<string> {
  return command(["node", "--conditions=@fanfare/source", `scripts/${name}`, ...args]);
}
