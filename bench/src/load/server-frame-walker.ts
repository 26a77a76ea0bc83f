/** Takes the frames of one ServerFrames. Offsets are into the bytes that were walked. */
export interface ServerFrameVisitor {
  /** A `message` frame; the range is that of the Message. */
  message(bytes: Uint8Array, start: number, end: number): void;
  /** Any other frame; the range is that of the whole ServerFrame, for a decoder. */
  other(bytes: Uint8Array, start: number, end: number): void;
}

const framesTag = (1 << 3) | 2;
const messageField = 4;
const payloadField = 4;
const binaryField = 2;

/**
 * Walks an encoded ServerFrames by its lengths and decodes nothing, so that the load generator can count some 100,000 messages a
 * second. Throws an Error where the bytes are no ServerFrames.
 */
export function walkServerFrames(bytes: Uint8Array, start: number, end: number, visitor: ServerFrameVisitor): void {
  const cursor = new Cursor(bytes, start, end);
  while (cursor.offset < end) {
    const tag = cursor.varint();
    if (tag !== framesTag) throw new Error(`tag ${tag} in ServerFrames`);
    const frameEnd = cursor.lengthEnd();
    visitFrame(bytes, cursor.offset, frameEnd, visitor);
    cursor.offset = frameEnd;
  }
}

function visitFrame(bytes: Uint8Array, start: number, end: number, visitor: ServerFrameVisitor): void {
  const cursor = new Cursor(bytes, start, end);
  const field = cursor.find(messageField);
  if (field === undefined) visitor.other(bytes, start, end);
  else visitor.message(bytes, field, cursor.offset);
}

/** Offset of Message.payload.binary within the Message at this range. Throws an Error if it has none. */
export function binaryPayloadOffset(bytes: Uint8Array, start: number, end: number): number {
  const message = new Cursor(bytes, start, end);
  const payload = message.find(payloadField);
  const binary = payload === undefined ? undefined : new Cursor(bytes, payload, message.offset).find(binaryField);
  if (binary === undefined) throw new Error("a message without a binary payload");
  return binary;
}

class Cursor {
  offset: number;
  readonly #bytes: Uint8Array;
  readonly #end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.offset = start;
    this.#end = end;
  }

  /** Start of the first length-delimited field with this number, the cursor behind it; undefined if there is none. */
  find(field: number): number | undefined {
    while (this.offset < this.#end) {
      const tag = this.varint();
      const wireType = tag & 7;
      if (wireType === 2) {
        const end = this.lengthEnd();
        const start = this.offset;
        this.offset = end;
        if (tag >>> 3 === field) return start;
      } else if (wireType === 0) this.varint();
      else if (wireType === 1) this.#skip(8);
      else if (wireType === 5) this.#skip(4);
      else throw new Error(`wire type ${wireType}`);
    }
    return undefined;
  }

  /** An unsigned varint; exact below 2^53. */
  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      if (this.offset >= this.#end) throw new Error("bytes end within a varint");
      const byte = this.#bytes[this.offset++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      if (scale > 2 ** 63) throw new Error("a varint of more than ten bytes");
    }
  }

  /** Reads a length and returns where what it measures ends. */
  lengthEnd(): number {
    const length = this.varint();
    const end = this.offset + length;
    if (end > this.#end) throw new Error(`a length of ${length} bytes runs past the end`);
    return end;
  }

  #skip(length: number): void {
    this.offset += length;
    if (this.offset > this.#end) throw new Error("bytes end within a fixed-size field");
  }
}
