import { describe, expect, it } from "vitest";
import { warnOfFewFiles } from "./open-files.ts";

const limits = { maxConnections: 1000, maxUnauthenticated: 50 };

function warned(softLimit: number): unknown[] {
  const warnings: unknown[] = [];
  warnOfFewFiles({ warn: (_message, fields) => warnings.push(fields) }, limits, softLimit);
  return warnings;
}

describe("open files", () => {
  it("are warned of where they are fewer than there may be connections", () => {
    expect(warned(1024)).toEqual([{ openFiles: 1024, needed: 1150, maxConnections: 1000 }]);
  });

  it("are not spoken of where they are enough", () => {
    for (const enough of [1150, Number.POSITIVE_INFINITY]) expect(warned(enough)).toEqual([]);
  });
});
