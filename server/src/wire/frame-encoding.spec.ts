import { create, fromBinary, fromJsonString, toBinary } from "@bufbuild/protobuf";
import {
  type Channel,
  ChannelSchema,
  LogEntrySchema,
  MessageSchema,
  Outcome,
  PayloadSchema,
  ServerFrameSchema,
  ServerFramesSchema,
} from "@fanfare/proto/v1";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  encodeFrame,
  encodeMessageBody,
  encodePublishReply,
  type MessageBody,
  messageFrameBytes,
} from "./frame-encoding.ts";
import { OutboundFrame } from "./outbound-frame.ts";

const maxSafe = Number.MAX_SAFE_INTEGER;
const text = fc.string({ unit: "binary" }); // any text that UTF-8 can say
const channelKind = fc.oneof(
  fc.record({ case: fc.constant("player" as const), value: text }),
  fc.record({ case: fc.constant("group" as const), value: text }),
  fc.record({ case: fc.constant("broadcast" as const), value: fc.boolean() }),
  fc.constant({ case: undefined }),
);
const data = fc.oneof(
  fc.record({ case: fc.constant("binary" as const), value: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({ case: fc.constant("text" as const), value: text }),
  fc.record({ case: fc.constant("json" as const), value: text }),
  fc.constant({ case: undefined }),
);
const payload = fc.option(fc.record({ type: text, data }), { nil: undefined });
const time = fc.oneof(fc.constant(0), fc.double({ min: 1, max: 8e15, noNaN: true }));

const body: fc.Arbitrary<MessageBody> = fc
  .record({
    kind: channelKind,
    origin: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    seq: fc.integer({ min: 0, max: maxSafe }),
    payload,
    from: text,
    sentAtMs: time,
    expiresAtMs: time,
    volatile: fc.boolean(),
    conflationKey: text,
  })
  .map(({ kind, payload, ...rest }) => ({
    ...rest,
    channel: create(ChannelSchema, { kind: kind as Channel["kind"] }),
    payload: payload === undefined ? undefined : create(PayloadSchema, payload),
  }));

/** The same message by reflection. */
function message({ seq, sentAtMs, expiresAtMs, payload, ...rest }: MessageBody) {
  return create(MessageSchema, {
    ...rest,
    seq: BigInt(seq),
    sentAtMs: BigInt(Math.trunc(sentAtMs)),
    expiresAtMs: BigInt(Math.trunc(expiresAtMs)),
    ...(payload === undefined ? {} : { payload }),
  });
}

describe("encodeMessageBody", () => {
  it("means the same as the generated schema, for every message", () => {
    fc.assert(
      fc.property(body, (one) => {
        expect(fromBinary(MessageSchema, encodeMessageBody(one))).toEqual(
          fromBinary(MessageSchema, toBinary(MessageSchema, message(one))),
        );
      }),
      { numRuns: 500, seed: 3 },
    );
  });
});

describe("messageFrameBytes", () => {
  it("makes a ServerFrames of the message, whatever its size", () => {
    for (const size of [
      0, 1, 100, 118, 119, 120, 121, 127, 128, 16_370, 16_383, 16_384, 16_385, 70_000, 2_097_140, 2_097_160,
    ]) {
      const bytes = new Uint8Array(size).fill(0x61);
      const one = create(MessageSchema, { payload: { data: { case: "binary", value: bytes } } });
      const frames = create(ServerFramesSchema, { frames: [{ kind: { case: "message", value: one } }] });
      expect(
        Buffer.from(messageFrameBytes(toBinary(MessageSchema, one))).equals(toBinary(ServerFramesSchema, frames)),
        String(size),
      ).toBe(true);
    }
  });

  it("puts the place in a log behind the body", () => {
    const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
    const place = fc.record({ offset: fc.integer({ min: 1, max: maxSafe }), tag: uint32, previousTag: uint32 });
    fc.assert(
      fc.property(body, place, (one, log) => {
        const { frames } = fromBinary(ServerFramesSchema, messageFrameBytes(encodeMessageBody(one), log));
        const expected = message(one);
        expected.log = create(LogEntrySchema, { ...log, offset: BigInt(log.offset) });
        expect(frames.map(({ kind }) => kind.value)).toEqual([
          fromBinary(MessageSchema, toBinary(MessageSchema, expected)),
        ]);
      }),
      { seed: 4 },
    );
  });

  it("makes frames of which two behind each other are a ServerFrames of both", () => {
    fc.assert(
      fc.property(fc.array(body, { maxLength: 5 }), (bodies) => {
        const joined = Buffer.concat(bodies.map((one) => messageFrameBytes(encodeMessageBody(one))));
        expect(fromBinary(ServerFramesSchema, joined).frames.length).toBe(bodies.length);
      }),
      { seed: 5 },
    );
  });
});

describe("OutboundFrame", () => {
  it("renders JSON that means the same as its bytes, and counts it in bytes", () => {
    fc.assert(
      fc.property(body, (one) => {
        fc.pre(one.channel.kind.case !== undefined);
        const frame = new OutboundFrame(messageFrameBytes(encodeMessageBody(one)));
        const parsed = fromJsonString(ServerFrameSchema, frame.json);
        expect(parsed).toEqual(fromBinary(ServerFramesSchema, new Uint8Array(frame.bytes)).frames[0]);
        expect(frame.jsonByteLength).toBe(Buffer.byteLength(frame.json));
      }),
      { seed: 6 },
    );
  });

  it("renders enums as numbers and 64-bit integers as text", () => {
    const frame = encodeFrame({ kind: { case: "goaway", value: { reason: 1 } } });
    expect(frame.json).toBe('{"goaway":{"reason":1}}');
    const ping = encodeFrame({ id: 3, kind: { case: "ping", value: { sentAtUs: 2n ** 53n - 1n } } });
    expect(JSON.parse(ping.json)).toEqual({ id: 3, ping: { sentAtUs: "9007199254740991" } });
  });
});

describe("encodePublishReply", () => {
  it("makes the bytes that reflection makes", () => {
    const ids = fc.integer({ min: 1, max: 0xffff_ffff });
    const outcomes = fc.constantFrom(Outcome.DELIVERED, Outcome.STORED, Outcome.OFFLINE, Outcome.UNKNOWN);
    fc.assert(
      fc.property(ids, outcomes, (id, outcome) => {
        const value = { result: { case: "publishResult" as const, value: { outcome } } };
        expect(encodePublishReply(id, outcome).bytes).toEqual(
          encodeFrame({ id, kind: { case: "reply", value } }).bytes,
        );
      }),
    );
  });
});
