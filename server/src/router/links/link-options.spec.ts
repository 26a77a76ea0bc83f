import { describe, expect, it } from "vitest";
import { resolveLinkOptions } from "./link-options.ts";

describe("resolveLinkOptions", () => {
  it("fills in defaults, for what is undefined, too", () => {
    expect(resolveLinkOptions({ holdMs: 5 })).toMatchObject({ holdMs: 5, maxBatchBytes: 65_536 });
    expect(resolveLinkOptions({ holdMs: undefined } as object)).toEqual(resolveLinkOptions());
  });

  it("refuses what makes no sense", () => {
    const wrong = [
      { holdMs: 0 },
      { maxPeers: Number.NaN },
      { minProbeMs: 600 },
      { minRevision: 3 },
      { maxPeers: 1_000 },
      { maxLingerMs: -1 },
    ];
    for (const options of wrong) expect(() => resolveLinkOptions(options)).toThrow(RangeError);
    expect(resolveLinkOptions({ maxLingerMs: 0 }).maxLingerMs).toBe(0);
  });
});
