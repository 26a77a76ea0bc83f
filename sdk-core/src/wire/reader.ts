const decoder = /*@__PURE__*/ new TextDecoder("utf-8");

/** Reads Protobuf's binary form. Every read past the end throws a RangeError. */
export class Reader {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  /** Index of the next byte. */
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** A varint of up to 64 bits as a number: exact below 2^53, which is all that the protocol sends. */
  varint(): number {
    let byte = this.#view.getUint8(this.at++);
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let scale = 0x80;
    for (let n = 1; n < 10; n++) {
      byte = this.#view.getUint8(this.at++);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw new RangeError("varint is too long");
  }

  fixed32(): number {
    this.at += 4;
    return this.#view.getUint32(this.at - 4, true);
  }

  fixed64(): bigint {
    this.at += 8;
    return this.#view.getBigUint64(this.at - 8, true);
  }

  /** The end of a length-delimited field that begins here. */
  end(): number {
    const length = this.varint();
    const end = this.at + length;
    if (end > this.bytes.length) throw new RangeError("field is longer than its message");
    return end;
  }

  /** A view of the field's bytes, not a copy. */
  binary(): Uint8Array {
    const end = this.end();
    const value = this.bytes.subarray(this.at, end);
    this.at = end;
    return value;
  }

  string(): string {
    const end = this.end();
    const start = this.at;
    this.at = end;
    // Most strings are short names in ASCII, for which calling the decoder costs more than reading them.
    if (end - start > 32) return decoder.decode(this.bytes.subarray(start, end));
    let text = "";
    for (let i = start; i < end; i++) {
      const byte = this.bytes[i] as number;
      if (byte > 0x7f) return decoder.decode(this.bytes.subarray(start, end));
      text += String.fromCharCode(byte);
    }
    return text;
  }

  /** Steps over a field of this wire type. */
  skip(wireType: number): void {
    if (wireType === 0) this.varint();
    else if (wireType === 1) this.at += 8;
    else if (wireType === 2) this.at = this.end();
    else if (wireType === 5) this.at += 4;
    else throw new RangeError(`wire type ${wireType} is not part of the protocol`);
    if (this.at > this.bytes.length) throw new RangeError("field is longer than its message");
  }
}
