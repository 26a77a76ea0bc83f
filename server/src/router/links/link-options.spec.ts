import { describe, expect, it } from "vitest";
import { resolveLinkOptions } from "./link-options.ts";

describe("resolveLinkOptions", () => {
  it("fills in defaults, for what is undefined, too", () => {
    expect(resolveLinkOptions({ holdMs: 5 })).toMatchObject({ holdMs: 5, maxBatchBytes: 65_536 });
    expect(resolveLinkOptions({ holdMs: undefined } as object)).toEqual(resolveLinkOptions());
  });

  it("gives acknowledgements more time where a publish has more, and has its usual bounds where it has not", () => {
    const times = ({ minRetransmitMs, maxRetransmitMs, holdMs }: ReturnType<typeof resolveLinkOptions>) =>
      [minRetransmitMs, maxRetransmitMs, holdMs] as const;
    expect(times(resolveLinkOptions())).toEqual([100, 1_000, 3_000]);
    expect(times(resolveLinkOptions({ publishTimeoutMs: 600 }))).toEqual([400, 1_000, 3_000]);
    expect(times(resolveLinkOptions({ publishTimeoutMs: 3_000 }))).toEqual([2_000, 4_000, 6_000]);
    expect(times(resolveLinkOptions({ publishTimeoutMs: 1 }))).toEqual([1, 1_000, 3_000]);
    expect(times(resolveLinkOptions({ publishTimeoutMs: 3_000, holdMs: 500 }))).toEqual([2_000, 4_000, 500]);
  });

  it("refuses what makes no sense", () => {
    const wrong = [
      { holdMs: 0 },
      { publishTimeoutMs: 0 },
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
