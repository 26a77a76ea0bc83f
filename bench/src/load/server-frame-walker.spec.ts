import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { MessageSchema, type ServerFrame, ServerFrameSchema, ServerFramesSchema } from "@fanfare/proto/v1";
import { describe, expect, it } from "vitest";
import { binaryPayloadOffset, walkServerFrames } from "./server-frame-walker.ts";

const message = {
  channel: { kind: { case: "group" as const, value: "bench:arena" } },
  origin: 2n ** 63n + 1n,
  seq: 2n ** 53n - 1n,
  payload: { type: "game.Move", data: { case: "binary" as const, value: Uint8Array.of(1, 2, 3, 4) } },
  from: "member-0001",
  sentAtMs: 1_700_000_000_000n,
  log: { offset: 3n, tag: 4, previousTag: 5 },
};

function walk(bytes: Uint8Array, start = 0, end = bytes.length) {
  const messages: Uint8Array[] = [];
  const others: ServerFrame[] = [];
  walkServerFrames(bytes, start, end, {
    message: (all, from, to) => messages.push(new Uint8Array(all.subarray(from, to))),
    other: (all, from, to) => others.push(fromBinary(ServerFrameSchema, all.subarray(from, to))),
  });
  return { messages, others };
}

describe("walkServerFrames", () => {
  const frames = create(ServerFramesSchema, {
    frames: [
      { kind: { case: "message", value: message } },
      { id: 4_000_000_000, kind: { case: "ping", value: { sentAtUs: 7n } } },
      { id: 9, kind: { case: "message", value: message } },
      {},
      { kind: { case: "dropped", value: { count: 2n } } },
    ],
  });

  it("finds messages, with and without an id, and hands over every other frame whole", () => {
    const { messages, others } = walk(toBinary(ServerFramesSchema, frames));
    const expected = create(MessageSchema, message);
    expect(messages.map((bytes) => fromBinary(MessageSchema, bytes))).toEqual([expected, expected]);
    expect(others).toEqual([frames.frames[1], frames.frames[3], frames.frames[4]]);
  });

  it("walks joined ServerFrames as one", () => {
    const once = toBinary(ServerFramesSchema, frames);
    expect(walk(Buffer.concat([once, once])).messages).toHaveLength(4);
  });

  it("stays within its range", () => {
    const bytes = toBinary(ServerFramesSchema, frames);
    const around = Buffer.concat([Uint8Array.of(0xff, 0xff), bytes, Uint8Array.of(0xff)]);
    expect(walk(around, 2, around.length - 1).messages).toHaveLength(2);
  });

  it("accepts an empty ServerFrames", () => {
    expect(walk(new Uint8Array(0))).toEqual({ messages: [], others: [] });
  });

  it("throws at bytes that end too early and at bytes that are no ServerFrames", () => {
    const bytes = toBinary(ServerFramesSchema, frames);
    expect(() => walk(bytes.subarray(0, 20))).toThrow("runs past the end");
    expect(() => walk(Uint8Array.of(0x0a))).toThrow("within a varint");
    expect(() => walk(Uint8Array.of(0x12, 0))).toThrow("tag 18");
    expect(() => walk(Uint8Array.of(0x0a, 2, 0x0b, 0))).toThrow("wire type 3");
    expect(() => walk(Uint8Array.of(0x0a, 2, 0x09, 0))).toThrow("fixed-size");
    expect(() => walk(Uint8Array.from([0x0a, ...Array(11).fill(0xff)]))).toThrow("ten bytes");
  });
});

describe("binaryPayloadOffset", () => {
  it("finds the payload behind its type", () => {
    const bytes = toBinary(MessageSchema, create(MessageSchema, message));
    const offset = binaryPayloadOffset(bytes, 0, bytes.length);
    expect([...bytes.subarray(offset, offset + 4)]).toEqual([1, 2, 3, 4]);
  });

  it("throws at a message without one", () => {
    const bytes = toBinary(
      MessageSchema,
      create(MessageSchema, { ...message, payload: { data: { case: "text", value: "t" } } }),
    );
    expect(() => binaryPayloadOffset(bytes, 0, bytes.length)).toThrow("without a binary payload");
  });
});
