import { describe, expect, it } from "vitest";
import { clientFrame } from "./client-frame.ts";

describe("clientFrame", () => {
  it.each([
    [5, 2],
    [125, 2],
    [126, 4],
    [65_535, 4],
    [65_536, 10],
  ])("masks %i bytes behind a header of %i and the key", (length, headerBytes) => {
    const payload = Uint8Array.from({ length }, (_, index) => index & 0xff);
    const frame = clientFrame(2, payload);
    expect(frame.length).toBe(headerBytes + 4 + length);
    expect(frame[0]).toBe(0x82);
    expect(frame[1]! & 0x80).toBe(0x80);
    const key = frame.subarray(headerBytes, headerBytes + 4);
    expect(key.some((byte) => byte !== 0)).toBe(true);
    expect(frame.subarray(headerBytes + 4).map((byte, index) => byte ^ key[index & 3]!)).toEqual(payload);
  });

  it("writes extended lengths big-endian", () => {
    expect([...clientFrame(2, new Uint8Array(300)).subarray(1, 4)]).toEqual([0x80 | 126, 1, 44]);
    expect([...clientFrame(2, new Uint8Array(65_537)).subarray(1, 10)]).toEqual([0xff, 0, 0, 0, 0, 0, 1, 0, 1]);
  });
});
