import { describe, expect, it } from "vitest";
import { closeDecision, errorPolicy, isRetryable, upgradeDecision } from "./policy.ts";
import { CloseCode, ErrorCode, ErrorCodeSchema, ReconnectPolicy } from "./v1.ts";

describe("closeDecision", () => {
  it("takes a known code's policy from its options", () => {
    expect(closeDecision(CloseCode.SLOW_CONSUMER)).toEqual({
      reconnect: ReconnectPolicy.BACKOFF,
      sessionEnds: false,
      minBackoffMs: 500,
    });
    expect(closeDecision(CloseCode.SESSION_LOST)).toMatchObject({ reconnect: ReconnectPolicy.SOON, sessionEnds: true });
  });

  it("gives every known code the policy of its range", () => {
    const byHundreds = [
      ReconnectPolicy.NEVER,
      ReconnectPolicy.BACKOFF,
      ReconnectPolicy.SOON,
      ReconnectPolicy.NEW_TOKEN,
    ];
    const codes = Object.values(CloseCode).filter((code) => typeof code === "number" && code > 0) as number[];
    for (const code of codes) {
      expect(closeDecision(code).reconnect, String(code)).toBe(byHundreds[Math.floor((code - 4000) / 100)]);
    }
  });

  it("obeys the range of a code it does not know, without ending the session", () => {
    const range = [4099, 4199, 4299, 4399].map((code) => closeDecision(code));
    expect(range.map((decision) => decision.reconnect)).toEqual([
      ReconnectPolicy.NEVER,
      ReconnectPolicy.BACKOFF,
      ReconnectPolicy.SOON,
      ReconnectPolicy.NEW_TOKEN,
    ]);
    expect(range.every((decision) => !decision.sessionEnds)).toBe(true);
  });

  it("backs off after every other code but those that refuse the same bytes again", () => {
    const never = [1002, 1003, 1007, 1009, 1010];
    for (const code of [0, ...Array.from({ length: 16 }, (_, i) => 1000 + i), 3000, 4400, 4999]) {
      const expected = never.includes(code) ? ReconnectPolicy.NEVER : ReconnectPolicy.BACKOFF;
      expect(closeDecision(code).reconnect, String(code)).toBe(expected);
    }
  });
});

describe("upgradeDecision", () => {
  it("tells a refusal for good from a fault that may pass", () => {
    expect(upgradeDecision(404).reconnect).toBe(ReconnectPolicy.NEVER);
    expect(upgradeDecision(502)).toEqual({ reconnect: ReconnectPolicy.BACKOFF, sessionEnds: false, minBackoffMs: 0 });
    expect(upgradeDecision(503).minBackoffMs).toBe(1000);
  });
});

describe("errorPolicy", () => {
  it("is stated for every code but UNSPECIFIED", () => {
    for (const value of ErrorCodeSchema.values) {
      expect(errorPolicy(value.number as ErrorCode) !== undefined, value.name).toBe(value.number !== 0);
    }
  });

  it("calls an unknown code not retryable", () => {
    expect(isRetryable(9999 as ErrorCode)).toBe(false);
    expect(isRetryable(ErrorCode.UNAVAILABLE)).toBe(true);
  });
});
