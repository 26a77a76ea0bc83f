import type { OutboundFrame } from "../wire/outbound-frame.ts";

/** How a connection's frames are written: binary Protobuf or JSON text. */
export type FrameFormat = "proto" | "json";

/** A joined WebSocket message stays under this many bytes unless one frame alone is larger. */
export const maxJoinedBytes = 64 * 1024;

/** What stands around the frames of a text message. */
const textPrefix = '{"frames":[';
const textSuffix = "]}";

const nothing = Buffer.alloc(0);

/** Bytes one frame takes in a joined message. */
export function frameLength(frame: OutboundFrame, format: FrameFormat): number {
  return format === "proto" ? frame.bytes.length : frame.jsonByteLength + 1;
}

/** Bytes of a message without frames. */
function emptyLength(format: FrameFormat): number {
  return format === "proto" ? 0 : textPrefix.length + textSuffix.length;
}

/** The frames as WebSocket messages, headers included: one as long as they fit, otherwise several, one behind the other. */
export function joinFrames(frames: readonly OutboundFrame[], format: FrameFormat): Buffer {
  if (frames.length === 0) return nothing;
  if (frames.length === 1 || fits(frames, format)) return messageOf(frames, format);
  const messages: Buffer[] = [];
  let start = 0;
  let length = emptyLength(format);
  for (let i = 0; i < frames.length; i++) {
    const next = frameLength(frames[i] as OutboundFrame, format);
    if (i > start && length + next >= maxJoinedBytes) {
      messages.push(messageOf(frames.slice(start, i), format));
      start = i;
      length = emptyLength(format);
    }
    length += next;
  }
  messages.push(messageOf(frames.slice(start), format));
  return Buffer.concat(messages);
}

function fits(frames: readonly OutboundFrame[], format: FrameFormat): boolean {
  let length = emptyLength(format);
  for (const frame of frames) length += frameLength(frame, format);
  return length < maxJoinedBytes;
}

function messageOf(frames: readonly OutboundFrame[], format: FrameFormat): Buffer {
  return format === "proto" ? binaryMessage(frames) : textMessage(frames);
}

function binaryMessage(frames: readonly OutboundFrame[]): Buffer {
  let length = 0;
  for (const frame of frames) length += frame.bytes.length;
  const { buffer, start } = withHeader(length, binaryOpcode);
  let at = start;
  for (const { bytes } of frames) {
    buffer.set(bytes, at);
    at += bytes.length;
  }
  return buffer;
}

function textMessage(frames: readonly OutboundFrame[]): Buffer {
  const text = `${textPrefix}${frames.map((frame) => frame.json).join(",")}${textSuffix}`;
  const length = Buffer.byteLength(text);
  const { buffer, start } = withHeader(length, textOpcode);
  buffer.write(text, start);
  return buffer;
}

const textOpcode = 0x1;
const binaryOpcode = 0x2;

/** A buffer for one unfragmented, unmasked WebSocket message (RFC 6455, section 5.2), its header filled in. */
function withHeader(length: number, opcode: number): { buffer: Buffer; start: number } {
  const start = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const buffer = Buffer.allocUnsafe(start + length);
  buffer[0] = 0x80 | opcode;
  if (start === 2) buffer[1] = length;
  else if (start === 4) {
    buffer[1] = 126;
    buffer.writeUInt16BE(length, 2);
  } else {
    buffer[1] = 127;
    buffer.writeUInt32BE(0, 2);
    buffer.writeUInt32BE(length, 6);
  }
  return { buffer, start };
}
