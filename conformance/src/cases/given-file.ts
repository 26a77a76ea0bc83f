import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { FileError } from "./yaml-source.ts";

/** Reads a file that somebody named. @throws FileError with the path that was tried, when it cannot be read */
export function readGivenFile(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const problem = code === "ENOENT" ? "there is no such file" : `cannot be read: ${message}`;
    throw new FileError([{ file: resolve(file), path: "", problem }]);
  }
}
