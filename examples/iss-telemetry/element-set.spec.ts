import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseElementSet, readElementSet } from "./element-set.ts";

const text = readFileSync(new URL("elements.txt", import.meta.url), "utf8");

describe("the element set of the example", () => {
  it("is of the station, and of the epoch that its comment states", () => {
    const { name, epoch } = readElementSet();
    expect(name).toBe("ISS (ZARYA)");
    expect(text).toContain(`# Epoch:  ${epoch.toISOString().slice(0, 19)}Z`);
  });

  it("is refused with a digit changed, or without its name", () => {
    expect(() => parseElementSet(text.replace("51.6329", "51.6328"))).toThrow(/checksum/);
    expect(() => parseElementSet(text.replace("ISS (ZARYA)\n", ""))).toThrow(/element set is/);
  });
});
