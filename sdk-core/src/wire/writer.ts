const encoder = /*@__PURE__*/ new TextEncoder();

/** Writes Protobuf's binary form into a buffer that grows and is used again after `finish`. */
export class Writer {
  #bytes = new Uint8Array(512);
  /** Bytes written so far. */
  length = 0;

  varint(value: number): void {
    this.#reserve(10);
    while (value >= 0x80) {
      this.#bytes[this.length++] = (value % 0x80) + 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#bytes[this.length++] = value;
  }

  fixed32(value: number): void {
    this.#reserve(4);
    new DataView(this.#bytes.buffer).setUint32(this.length, value, true);
    this.length += 4;
  }

  fixed64(value: bigint): void {
    this.#reserve(8);
    new DataView(this.#bytes.buffer).setBigUint64(this.length, value, true);
    this.length += 8;
  }

  /** Length and bytes. */
  binary(value: Uint8Array): void {
    this.varint(value.length);
    this.raw(value);
  }

  /** Bytes as they are. */
  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#bytes.set(value, this.length);
    this.length += value.length;
  }

  /** Length and UTF-8 bytes. */
  string(value: string): void {
    this.#reserve(value.length * 3 + 5);
    this.delimited(() => {
      this.length += encoder.encodeInto(value, this.#bytes.subarray(this.length)).written;
    });
  }

  /** What `write` writes, behind its length. */
  delimited(write: () => void): void {
    this.#reserve(1);
    const start = this.length++;
    write();
    const size = this.length - start - 1;
    // One byte was left free for the length; a longer one moves what was written.
    let more = 0;
    for (let rest = size; rest >= 0x80; rest = Math.floor(rest / 0x80)) more++;
    if (more > 0) {
      this.#reserve(more);
      this.#bytes.copyWithin(start + 1 + more, start + 1, this.length);
    }
    this.length = start;
    this.varint(size);
    this.length += size;
  }

  /** Everything written since `from`, as a copy, and taken out of the buffer. */
  take(from = 0): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes.slice(from, this.length);
    this.length = from;
    return bytes;
  }

  #reserve(size: number): void {
    if (this.length + size <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + size));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}
