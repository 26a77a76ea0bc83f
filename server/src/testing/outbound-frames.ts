import { create, fromBinary, fromJsonString } from "@bufbuild/protobuf";
import { ChannelSchema, PayloadSchema, type ServerFrame, ServerFramesSchema } from "@fanfare/proto/v1";
import type { FrameFormat } from "../gateway/join-frames.ts";
import { encodeMessageBody, messageFrameBytes } from "../wire/frame-encoding.ts";
import { type FrameTraits, OutboundFrame } from "../wire/outbound-frame.ts";

/** A message with this text, from origin 1 in the group `g`. */
export function messageFrame(text: string, traits: FrameTraits = {}): OutboundFrame {
  const body = encodeMessageBody({
    channel: create(ChannelSchema, { kind: { case: "group", value: "g" } }),
    origin: 1n,
    seq: 1,
    payload: create(PayloadSchema, { data: { case: "text", value: text } }),
    from: "",
    sentAtMs: 1,
    expiresAtMs: 0,
    volatile: traits.volatile !== undefined,
    conflationKey: "",
  });
  return new OutboundFrame(messageFrameBytes(body), { isMessage: true, ...traits });
}

/** A volatile message; with a key, one that a newer one of the key replaces. */
export function volatileFrame(text: string, conflation?: string): OutboundFrame {
  return messageFrame(text, { volatile: { conflation } });
}

/** A message whose encoding has exactly this many bytes, at least 40. */
export function frameOfLength(length: number, traits: FrameTraits = {}): OutboundFrame {
  for (let size = Math.max(0, length - 60); size < length; size++) {
    const frame = messageFrame("x".repeat(size), traits);
    if (frame.bytes.length === length) return frame;
  }
  throw new Error(`there is no message of ${length} bytes`);
}

/** One WebSocket message as it stands in a stream of bytes. */
export interface WireMessage {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** Cuts unmasked, unfragmented WebSocket messages out of a stream (RFC 6455, section 5.2). @throws if it is no such stream */
export function wireMessages(stream: Buffer): WireMessage[] {
  const messages: WireMessage[] = [];
  for (let at = 0; at < stream.length; ) {
    const first = stream.readUInt8(at);
    if ((first & 0xf0) !== 0x80) throw new Error(`a message begins with ${first}`);
    const short = stream.readUInt8(at + 1);
    if (short > 127) throw new Error("a server's message is masked");
    const header = short < 126 ? 2 : short === 126 ? 4 : 10;
    const length =
      short < 126 ? short : short === 126 ? stream.readUInt16BE(at + 2) : Number(stream.readBigUInt64BE(at + 2));
    const isShortest = short < 126 || (short === 126 ? length >= 126 : length >= 65_536);
    if (!isShortest) throw new Error("the length is not in its shortest form");
    const end = at + header + length;
    if (end > stream.length) throw new Error("the stream ends within a message");
    messages.push({ opcode: first & 0x0f, payload: stream.subarray(at + header, end) });
    at = end;
  }
  return messages;
}

/** The frames of a message. */
export function framesOf({ payload }: WireMessage, format: FrameFormat): ServerFrame[] {
  const decoded =
    format === "proto" ? fromBinary(ServerFramesSchema, payload) : fromJsonString(ServerFramesSchema, `${payload}`);
  return decoded.frames;
}

/** What a client reads out of a stream: the texts of messages, and `dropped n`. */
export function textsOf(stream: Buffer, format: FrameFormat = "proto"): string[] {
  return wireMessages(stream).flatMap((message) =>
    framesOf(message, format).map(({ kind }) => {
      if (kind.case === "message") return `${kind.value.payload?.data.value ?? ""}`;
      return kind.case === "dropped" ? `dropped ${kind.value.count}` : `${kind.case}`;
    }),
  );
}
