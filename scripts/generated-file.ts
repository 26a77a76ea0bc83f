import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "./packages.ts";

/** A file that a script makes from something else, and that is committed. */
export interface GeneratedFile {
  /** From the repository's folder, with forward slashes. */
  path: string;
  content: string;
}

/**
 * Writes the files, or with `--check` among the arguments compares them: then it prints what is out of date and how to renew it,
 * and sets the exit code to 1.
 */
export function writeOrCheck(files: readonly GeneratedFile[], command: string, args = process.argv.slice(2)): void {
  const check = args.includes("--check");
  for (const { path, content } of files) {
    const current = readIfThere(path);
    if (current === content) continue;
    if (check) {
      const line = firstDifference(current ?? "", content);
      console.error(`${path} is out of date from line ${line} on: run ${command}`);
      process.exitCode = 1;
    } else {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content);
      console.log(`Wrote ${path}`);
    }
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The number, from 1, of the first line in which two texts differ. */
export function firstDifference(a: string, b: string): number {
  const left = a.split("\n");
  const right = b.split("\n");
  const index = left.findIndex((line, i) => line !== right[i]);
  return (index === -1 ? left.length : index) + 1;
}
