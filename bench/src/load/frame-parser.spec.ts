import { describe, expect, it } from "vitest";
import { FrameParser } from "./frame-parser.ts";

/** An unmasked server frame. */
function serverFrame(opcode: number, payload: Uint8Array): Uint8Array {
  const extended = payload.length < 126 ? [] : payload.length < 65_536 ? [16, 8] : [56, 48, 40, 32, 24, 16, 8];
  const marker = payload.length < 126 ? payload.length : payload.length < 65_536 ? 126 : 127;
  const lengthBytes = marker < 126 ? [] : marker === 126 ? [payload.length >> 8, payload.length & 0xff] : [];
  if (marker === 127) {
    for (const shift of extended) lengthBytes.push(Math.floor(payload.length / 2 ** shift) & 0xff);
    lengthBytes.push(payload.length & 0xff);
  }
  return Uint8Array.from([0x80 | opcode, marker, ...lengthBytes, ...payload]);
}

function collect(): { parser: FrameParser; messages: { opcode: number; payload: Uint8Array }[] } {
  const messages: { opcode: number; payload: Uint8Array }[] = [];
  const parser = new FrameParser((opcode, bytes, start, end) => {
    messages.push({ opcode, payload: new Uint8Array(bytes.subarray(start, end)) });
  });
  return { parser, messages };
}

const payloads = [0, 1, 125, 126, 127, 65_535, 65_536, 70_000].map((length) =>
  Uint8Array.from({ length }, (_, index) => (index * 7) & 0xff),
);

describe("FrameParser", () => {
  it("reads every form of length, many frames in one read", () => {
    const { parser, messages } = collect();
    parser.push(Buffer.concat(payloads.map((payload) => serverFrame(2, payload))));
    expect(messages.map(({ payload }) => payload)).toEqual(payloads);
    expect(messages.every(({ opcode }) => opcode === 2)).toBe(true);
  });

  it("reads frames cut anywhere, one byte at a time", () => {
    const { parser, messages } = collect();
    const short = payloads.slice(0, 5);
    for (const byte of Buffer.concat(short.map((payload) => serverFrame(1, payload)))) parser.push(Uint8Array.of(byte));
    expect(messages.map(({ payload }) => payload)).toEqual(short);
  });

  it("keeps what it has not handed over when the read buffer is used again", () => {
    const { parser, messages } = collect();
    const frame = serverFrame(2, payloads[3]!);
    const shared = Uint8Array.from(frame);
    parser.push(shared.subarray(0, 50));
    shared.copyWithin(0, 50);
    parser.push(shared.subarray(0, frame.length - 50));
    expect(messages[0]?.payload).toEqual(payloads[3]);
  });

  it("hands over control frames", () => {
    const { parser, messages } = collect();
    parser.push(serverFrame(8, Uint8Array.of(0x0f, 0xa1)));
    expect(messages).toEqual([{ opcode: 8, payload: Uint8Array.of(0x0f, 0xa1) }]);
  });

  it("refuses fragments, reserved bits, masked frames and frames past the bound", () => {
    expect(() => collect().parser.push(Uint8Array.of(0x02, 0))).toThrow("fragment");
    expect(() => collect().parser.push(Uint8Array.of(0xc2, 0))).toThrow("reserved");
    expect(() => collect().parser.push(Uint8Array.of(0x82, 0x80))).toThrow("masked");
    const small = new FrameParser(() => {}, 10);
    expect(() => small.push(Uint8Array.of(0x82, 11))).toThrow("11 bytes");
  });
});
