/** Takes the WebSocket messages of one connection. The bytes are valid during the call only. */
export type MessageHandler = (opcode: number, bytes: Uint8Array, start: number, end: number) => void;

export const opcodes = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/**
 * Cuts the bytes a WebSocket server sends into messages (RFC 6455). It does what the load generator needs and no more: server
 * frames are not masked, and a fragmented message is an error, because no contender sends one. Whole frames are handed over
 * where they lie; only a frame that a read cut in two is copied. Its memory is bounded by `maxMessageBytes`.
 */
export class FrameParser {
  readonly #onMessage: MessageHandler;
  readonly #maxMessageBytes: number;
  #rest: Uint8Array = empty;

  constructor(onMessage: MessageHandler, maxMessageBytes = 4 * 1024 * 1024) {
    this.#onMessage = onMessage;
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Throws an Error at bytes that are no unmasked, unfragmented frame. */
  push(chunk: Uint8Array): void {
    const bytes = this.#rest.length === 0 ? chunk : joined(this.#rest, chunk);
    let offset = 0;
    while (offset < bytes.length) {
      const next = this.#take(bytes, offset);
      if (next === -1) break;
      offset = next;
    }
    this.#rest = offset === bytes.length ? empty : new Uint8Array(bytes.subarray(offset));
  }

  /** Offset behind the frame at `offset`, or -1 if the frame is not whole yet. */
  #take(bytes: Uint8Array, offset: number): number {
    if (bytes.length - offset < 2) return -1;
    const first = bytes[offset]!;
    const second = bytes[offset + 1]!;
    if ((first & 0xf0) !== 0x80)
      throw new Error(`a fragment or reserved bits in a server frame: 0x${first.toString(16)}`);
    if ((second & 0x80) !== 0) throw new Error("a masked server frame");
    let start = offset + 2;
    let length = second;
    if (length === 126) {
      if (bytes.length - start < 2) return -1;
      length = (bytes[start]! << 8) | bytes[start + 1]!;
      start += 2;
    } else if (length === 127) {
      if (bytes.length - start < 8) return -1;
      length = Number(new DataView(bytes.buffer, bytes.byteOffset + start, 8).getBigUint64(0));
      start += 8;
    }
    if (length > this.#maxMessageBytes) throw new Error(`a server frame of ${length} bytes`);
    const end = start + length;
    if (end > bytes.length) return -1;
    this.#onMessage(first & 0x0f, bytes, start, end);
    return end;
  }
}

const empty = new Uint8Array(0);

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
