import { describe, expect, it } from "vitest";
import {
  frameOfLength,
  framesOf,
  messageFrame,
  textsOf,
  volatileFrame,
  wireMessages,
} from "../testing/outbound-frames.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { Batch } from "./batch.ts";
import { type FrameFormat, frameLength, joinFrames, maxJoinedBytes } from "./join-frames.ts";

const formats: FrameFormat[] = ["proto", "json"];
const clock = new VirtualClock();

describe("joinFrames", () => {
  it("writes the exact header of each size of a message", () => {
    for (const [length, header] of [
      [125, [0x82, 125]],
      [126, [0x82, 126, 0, 126]],
      [127, [0x82, 126, 0, 127]],
      [65_535, [0x82, 126, 0xff, 0xff]],
      [65_536, [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
      [70_000, [0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]],
    ] as const) {
      const frame = frameOfLength(length);
      const buffer = joinFrames([frame], "proto");
      expect([...buffer.subarray(0, header.length)], String(length)).toEqual([...header]);
      expect(buffer.subarray(header.length)).toEqual(Buffer.from(frame.bytes));
    }
  });

  it("joins what fits under 64 KiB, and no more", () => {
    const half = maxJoinedBytes / 2;
    const lengthsOf = (...lengths: number[]) =>
      wireMessages(
        joinFrames(
          lengths.map((length) => frameOfLength(length)),
          "proto",
        ),
      ).map(({ payload }) => payload.length);
    expect(lengthsOf(half, half - 1)).toEqual([maxJoinedBytes - 1]);
    expect(lengthsOf(half, half)).toEqual([half, half]);
    expect(lengthsOf(100, 70_000, 100, 200)).toEqual([100, 70_000, 300]);
    expect(lengthsOf(70_000, 70_000)).toEqual([70_000, 70_000]);
    expect(joinFrames([], "proto").length).toBe(0);
  });

  for (const format of formats) {
    it(`keeps every frame and its order in ${format}, each joined message under 64 KiB in bytes`, () => {
      const texts = Array.from({ length: 300 }, (_, i) => `${i} ${"ä☕😀".repeat((i * 37) % 400)}`);
      const stream = joinFrames(
        texts.map((text) => messageFrame(text)),
        format,
      );
      expect(textsOf(stream, format)).toEqual(texts);
      const messages = wireMessages(stream);
      expect(messages.length).toBeGreaterThan(5);
      for (const message of messages) {
        expect(message.opcode).toBe(format === "proto" ? 2 : 1);
        if (framesOf(message, format).length > 1) expect(message.payload.length).toBeLessThan(65_536);
      }
    });
  }

  it("never joins JSON to 64 KiB by what stands around the frames", () => {
    for (let length = 32_700; length < 32_780; length++) {
      const frames = [messageFrame("x".repeat(length - 160)), messageFrame("y".repeat(length - 160))];
      for (const message of wireMessages(joinFrames(frames, "json"))) {
        if (framesOf(message, "json").length > 1) expect(message.payload.length).toBeLessThan(65_536);
      }
    }
  });

  it("counts a frame of JSON in bytes", () => {
    const frame = messageFrame("☕");
    expect(frameLength(frame, "json")).toBe(Buffer.byteLength(frame.json) + 1);
  });
});

describe("Batch", () => {
  it("shares one encoding between those that were given the same frames in the same order", () => {
    const root = new Batch();
    const [a, b] = [messageFrame("a"), messageFrame("b")];
    const one = root.append(a).append(b);
    const two = root.append(a).append(b);
    expect(two).toBe(one);
    for (const format of formats) expect(two.wire(format, clock)).toBe(one.wire(format, clock));
    expect(textsOf(one.wire("proto", clock))).toEqual(["a", "b"]);
    expect(textsOf(one.wire("json", clock), "json")).toEqual(["a", "b"]);
    const other = root.append(b).append(a);
    expect(textsOf(other.wire("proto", clock))).toEqual(["b", "a"]);
    expect(other).toMatchObject({ count: 2, byteLength: a.bytes.length + b.bytes.length });
  });

  it("keeps of a conflation key the newest, in its place, and what has no key", () => {
    const frames = [
      volatileFrame("a1", "a"),
      messageFrame("live"),
      volatileFrame("free"),
      volatileFrame("b1", "b"),
      volatileFrame("a2", "a"),
      volatileFrame("free"),
    ];
    const batch = frames.reduce((before, frame) => before.append(frame), new Batch());
    expect(textsOf(batch.wire("proto", clock))).toEqual(["live", "free", "b1", "a2", "free"]);
  });

  it("leaves out what has expired, or sends what stands for it", () => {
    const expiresAtMs = clock.nowMs();
    const batch = new Batch()
      .append(messageFrame("gone", { expiresAtMs }))
      .append(messageFrame("gone too", { expiresAtMs, substitute: messageFrame("instead") }))
      .append(messageFrame("good", { expiresAtMs: expiresAtMs + 1 }));
    expect(textsOf(batch.wire("proto", clock))).toEqual(["instead", "good"]);
    expect(new Batch().append(messageFrame("gone", { expiresAtMs })).wire("json", clock).length).toBe(0);
  });
});
