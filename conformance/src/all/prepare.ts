import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

/** What an entry of a run takes before its cases. */
export interface Preparation {
  readonly programs: readonly string[];
  /** A shell command; empty: none. */
  readonly prepare: string;
}

/** The first program that this machine lacks. */
export function missingProgram({ programs }: Preparation, path = process.env.PATH ?? ""): string | undefined {
  const folders = path.split(delimiter).filter((folder) => folder !== "");
  return programs.find((name) => !folders.some((folder) => isExecutable(join(folder, name))));
}

/** Runs the command that makes an implementation ready. @throws with what it printed when it fails */
export async function prepare({ prepare: command }: Preparation, folder: string): Promise<void> {
  if (command === "") return;
  try {
    await promisify(execFile)("/bin/sh", ["-c", command], { cwd: folder });
  } catch (cause) {
    const { stdout = "", stderr = "" } = cause as { stdout?: string; stderr?: string };
    throw new Error(`${command} failed: ${`${stdout}${stderr}`.trim().slice(-2_000)}`, { cause });
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
