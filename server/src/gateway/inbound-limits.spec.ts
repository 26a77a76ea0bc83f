import { describe, expect, it } from "vitest";
import { resolveLimits } from "../config/resolved-limits.ts";
import { InboundLimits } from "./inbound-limits.ts";

const limits = { ...resolveLimits(undefined), framesPerSecond: 100, bytesPerSecond: 10_000, maxFrameBytes: 2_000 };

describe("InboundLimits", () => {
  it("lets a second's worth through, then says when to try again, then closes", () => {
    const inbound = new InboundLimits(limits, 0);
    expect(inbound.charge(0, 100, 0)).toBe("ok");
    expect(inbound.charge(0, 50, 0)).toEqual({ retryAfterMs: 510 });
    expect(inbound.charge(0, 50, 0)).toEqual({ retryAfterMs: 1_010 });
    expect(inbound.charge(0, 1, 0)).toBe("close");
  });

  it("counts bytes apart from frames", () => {
    const inbound = new InboundLimits(limits, 0);
    expect(inbound.charge(0, 1, 10_000)).toBe("ok");
    expect(inbound.charge(0, 1, 5_000)).toMatchObject({ retryAfterMs: 501 });
    expect(inbound.charge(0, 1, 5_001)).toBe("close");
  });

  it("lets the largest message through at once, twice, however low the rate", () => {
    const inbound = new InboundLimits({ ...limits, bytesPerSecond: 1_024, maxFrameBytes: 100_000 }, 0);
    expect(inbound.charge(0, 1, 100_000)).toBe("ok");
    expect(inbound.charge(0, 1, 100_000)).toBe("ok");
    expect(inbound.charge(0, 1, 1)).not.toBe("ok");
  });

  it("never limits who keeps to the rates", () => {
    const inbound = new InboundLimits(limits, 0);
    for (let nowMs = 10; nowMs < 10_000; nowMs += 10) expect(inbound.charge(nowMs, 1, 100)).toBe("ok");
  });
});
