import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";

it("both shells export the same names, and every one that users have of sdk-core", async () => {
  const read = async (path: string) => (await readFile(new URL(path, import.meta.url), "utf8")).replace(/\s+/g, " ");
  const names = (text: string) =>
    [...text.matchAll(/export (?:type )?\{(.*?)\}/g)].flatMap(([, list = ""]) =>
      list
        .split(",")
        .map((name) => name.replace("type ", "").trim())
        .filter((name) => name !== ""),
    );
  const [node, browser, core] = [
    await read("index.ts"),
    await read("../../sdk-browser/src/index.ts"),
    await read("../../sdk-core/src/index.ts"),
  ];
  expect(node).toBe(browser);
  expect(names(node).sort()).toEqual(["connect", ...names(core)].sort());
});
