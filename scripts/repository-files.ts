import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "./packages.ts";

/** Paths of all files that are, or are about to be, part of the repository: tracked or new, and not ignored. */
export function repositoryFiles(): string[] {
  const list = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root });
  const files = list.toString().split("\0");
  return files.filter((file) => file !== "" && existsSync(join(root, file)));
}
