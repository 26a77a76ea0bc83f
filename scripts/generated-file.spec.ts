import { existsSync } from "node:fs";
import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { firstDifference, writeOrCheck } from "./generated-file.ts";
import { root } from "./packages.ts";

describe("writeOrCheck", () => {
  let exitCode: typeof process.exitCode;
  beforeEach(() => {
    exitCode = process.exitCode;
    vi.spyOn(console, "error").mockImplementation(() => undefined);
    vi.spyOn(console, "log").mockImplementation(() => undefined);
  });
  afterEach(() => {
    process.exitCode = exitCode;
    vi.restoreAllMocks();
  });

  it("writes what differs, folders included", async () => {
    await using folder = await mkdtempDisposable(join(root, "node_modules/.generated-"));
    const path = relative(root, join(folder.path, "a/b.md"));
    writeOrCheck([{ path, content: "text\n" }], "make it", []);
    expect(await readFile(join(root, path), "utf8")).toBe("text\n");
  });

  it("only compares with --check, and fails where a file is missing or differs", async () => {
    await using folder = await mkdtempDisposable(join(root, "node_modules/.generated-"));
    const path = relative(root, join(folder.path, "b.md"));
    writeOrCheck([{ path, content: "text\n" }], "make it", ["--check"]);
    expect(process.exitCode).toBe(1);
    expect(existsSync(join(root, path))).toBe(false);

    process.exitCode = 0;
    await writeFile(join(root, path), "one\ntwo\n");
    writeOrCheck([{ path, content: "one\nthree\n" }], "make it", ["--check"]);
    expect(process.exitCode).toBe(1);
    expect(console.error).toHaveBeenLastCalledWith(`${path} is out of date from line 2 on: run make it`);
    expect(await readFile(join(root, path), "utf8")).toBe("one\ntwo\n");

    process.exitCode = 0;
    writeOrCheck([{ path, content: "one\ntwo\n" }], "make it", ["--check"]);
    expect(process.exitCode).toBe(0);
  });
});

describe("firstDifference", () => {
  it("counts lines from 1, also where one text is the beginning of the other", () => {
    expect(firstDifference("a\nb", "a\nc")).toBe(2);
    expect(firstDifference("a", "a\nb")).toBe(2);
    expect(firstDifference("a\nb", "a")).toBe(2);
  });
});
