import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  type Channel,
  ChannelSchema,
  type Outcome,
  type Payload,
  PayloadSchema,
  type ServerFrameSchema,
  ServerFramesSchema,
} from "@fanfare/proto/v1";
import { OutboundFrame } from "./outbound-frame.ts";

/** What the body of a message is made of. Field numbers and meaning: `fanfare.v1.Message`. */
export interface MessageBody {
  channel: Channel;
  origin: bigint;
  seq: number;
  payload: Payload | undefined;
  from: string;
  sentAtMs: number;
  expiresAtMs: number;
  volatile: boolean;
  conflationKey: string;
}

/**
 * Encodes the body of a message: the one encoding it gets in the whole system. Written by hand because this is the hot path (4.9 us
 * by reflection); `frame-encoding.spec.ts` holds it against the generated schema.
 */
export function encodeMessageBody(message: MessageBody): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).fork();
  writeChannel(writer, message.channel);
  writer.join();
  writer.tag(2, WireType.Bit64).fixed64(message.origin);
  writer.tag(3, WireType.Varint).uint64(message.seq);
  if (message.payload !== undefined) {
    writer.tag(4, WireType.LengthDelimited).fork();
    writePayload(writer, message.payload);
    writer.join();
  }
  if (message.from !== "") writer.tag(5, WireType.LengthDelimited).string(message.from);
  writer.tag(6, WireType.Varint).uint64(Math.trunc(message.sentAtMs));
  if (message.expiresAtMs !== 0) writer.tag(7, WireType.Varint).uint64(Math.trunc(message.expiresAtMs));
  if (message.volatile) writer.tag(8, WireType.Varint).bool(true);
  if (message.conflationKey !== "") writer.tag(9, WireType.LengthDelimited).string(message.conflationKey);
  return writer.finish();
}

function writeChannel(writer: BinaryWriter, channel: Channel): void {
  switch (channel.kind.case) {
    case "player":
      writer.tag(1, WireType.LengthDelimited).string(channel.kind.value);
      return;
    case "group":
      writer.tag(2, WireType.LengthDelimited).string(channel.kind.value);
      return;
    case "broadcast":
      writer.tag(3, WireType.Varint).bool(channel.kind.value);
      return;
    default:
      writer.raw(toBinary(ChannelSchema, channel));
  }
}

function writePayload(writer: BinaryWriter, payload: Payload): void {
  if (payload.type !== "") writer.tag(1, WireType.LengthDelimited).string(payload.type);
  switch (payload.data.case) {
    case "binary":
      writer.tag(2, WireType.LengthDelimited).bytes(payload.data.value);
      return;
    case "text":
      writer.tag(3, WireType.LengthDelimited).string(payload.data.value);
      return;
    case "json":
      writer.tag(4, WireType.LengthDelimited).string(payload.data.value);
      return;
    default:
      if (payload.$unknown !== undefined) writer.raw(toBinary(PayloadSchema, payload));
  }
}

const framesTag = (1 << 3) | WireType.LengthDelimited; // ServerFrames.frames
const messageTag = (4 << 3) | WireType.LengthDelimited; // ServerFrame.message

/** A message's place in its log; `fanfare.v1.LogEntry`. */
export interface LogPlace {
  readonly offset: number;
  readonly tag: number;
  readonly previousTag: number;
}

/** Puts an encoded body into ServerFrames { frames { message } }, on a durable channel with the place behind it. */
export function messageFrameBytes(body: Uint8Array, place?: LogPlace): Uint8Array {
  if (place !== undefined) return messageFrameBytes(Buffer.concat([body, encodePlace(place)]));
  const innerLength = 1 + varintLength(body.length) + body.length;
  const bytes = new Uint8Array(1 + varintLength(innerLength) + innerLength);
  bytes[0] = framesTag;
  let at = writeVarint(bytes, 1, innerLength);
  bytes[at++] = messageTag;
  at = writeVarint(bytes, at, body.length);
  bytes.set(body, at);
  return bytes;
}

/**
 * The `reply` to a publish of which nothing has to be told but its outcome. Written by hand, like the body of a message, because every
 * publish gets one.
 */
export function encodePublishReply(id: number, outcome: Outcome): OutboundFrame {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.LengthDelimited).fork(); // ServerFrames.frames
  writer.tag(1, WireType.Varint).uint32(id);
  writer.tag(3, WireType.LengthDelimited).fork(); // ServerFrame.reply
  writer.tag(4, WireType.LengthDelimited).fork(); // Reply.publish_result
  writer.tag(1, WireType.Varint).uint32(outcome);
  return new OutboundFrame(writer.join().join().join().finish());
}

function encodePlace({ offset, tag, previousTag }: LogPlace): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(14, WireType.LengthDelimited).fork();
  writer.tag(1, WireType.Varint).uint64(offset);
  if (tag !== 0) writer.tag(2, WireType.Bit32).fixed32(tag);
  if (previousTag !== 0) writer.tag(3, WireType.Bit32).fixed32(previousTag);
  return writer.join().finish();
}

/** Encodes any frame, by reflection. */
export function encodeFrame(frame: MessageInitShape<typeof ServerFrameSchema>): OutboundFrame {
  return new OutboundFrame(toBinary(ServerFramesSchema, create(ServerFramesSchema, { frames: [frame] })));
}

function varintLength(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  return value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
}

function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let index = at;
  while (rest > 0x7f) {
    bytes[index++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[index++] = rest;
  return index;
}
