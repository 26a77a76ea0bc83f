import { ErrorCode, ErrorSchema } from "@fanfare/proto/v1";
import { validatorFor } from "@fanfare/proto/validate";
import { describe, expect, it } from "vitest";
import { FanfareError } from "./fanfare-error.ts";

describe("FanfareError", () => {
  it("says on the wire what it says", () => {
    const error = new FanfareError(ErrorCode.RATE_LIMITED, "slow down", { retryAfterMs: 12.3, field: "a.b" });
    expect(error.toProto()).toMatchObject({
      code: ErrorCode.RATE_LIMITED,
      message: "slow down",
      retryAfterMs: 13,
      field: "a.b",
    });
  });

  it("passes itself on, and hides any other fault behind INTERNAL, with its cause", () => {
    const error = new FanfareError(ErrorCode.NOT_FOUND, "no");
    expect(FanfareError.from(error)).toBe(error);
    const fault = new TypeError("secret detail");
    const hidden = FanfareError.from(fault);
    expect(hidden).toMatchObject({ code: ErrorCode.INTERNAL, cause: fault });
    expect(hidden.message).not.toContain("secret");
    expect(FanfareError.from("text").code).toBe(ErrorCode.INTERNAL);
  });

  it("stays within the bounds of the protocol, whole characters only", () => {
    const error = new FanfareError(ErrorCode.REJECTED, `a${"😀".repeat(1000)}`, {
      field: "ä".repeat(500),
      retryAfterMs: 1e12,
    });
    const proto = error.toProto();
    expect(validatorFor(ErrorSchema)(proto)).toBeUndefined();
    expect(proto.message).toBe(`a${"😀".repeat(255)}`);
    expect(proto.retryAfterMs).toBe(0xffff_ffff);
  });
});
