import { fromBinary } from "@bufbuild/protobuf";
import { LossSchema } from "@fanfare/proto/cluster/v1alpha";
import type { DecodedBatch, LostChannels } from "./batch.ts";

/**
 * Decodes a batch, not its records. Undefined: it is none.
 * @param self of one that is for several, the part that is for this incarnation; if there is none, `to` stays 0
 */
export function decodeBatch(bytes: Uint8Array, self = 0n): DecodedBatch | undefined {
  try {
    return new Reader(bytes).batch(self);
  } catch (reason) {
    if (reason instanceof NoBatch) return undefined;
    throw reason;
  }
}

class NoBatch extends Error {}

// Wire types; those of groups are not known.
const varint = 0;
const fixed64 = 1;
const lengthDelimited = 2;
const fixed32 = 5;

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  batch(self: bigint): DecodedBatch {
    let revision = 0;
    let from = 0n;
    let to = 0n;
    let number = 0;
    let acknowledged = 0;
    let credit = 0;
    let probe = 0;
    let echo = 0;
    let recordBytes = 0;
    let elsewhere = 0;
    let loss: Uint8Array | undefined;
    let own: Uint8Array | undefined;
    const missing: number[] = [];
    const records: Uint8Array[] = [];
    while (this.#at < this.#bytes.length) {
      const startAt = this.#at;
      const tag = this.#varint();
      switch (tag) {
        case (1 << 3) | varint:
          revision = this.#varint();
          break;
        case (2 << 3) | fixed64:
          from = this.#fixed64();
          break;
        case (3 << 3) | fixed64:
          to = this.#fixed64();
          break;
        case (4 << 3) | varint:
          number = this.#varint();
          break;
        case (5 << 3) | varint:
          acknowledged = this.#varint();
          break;
        case (6 << 3) | varint:
          missing.push(this.#varint());
          break;
        case (6 << 3) | lengthDelimited:
          for (const endAt = this.#length() + this.#at; this.#at < endAt; ) missing.push(this.#varint());
          break;
        case (7 << 3) | varint:
          credit = this.#varint();
          break;
        case (8 << 3) | lengthDelimited:
          records.push(this.#slice());
          recordBytes += this.#at - startAt;
          break;
        case (9 << 3) | lengthDelimited: {
          const value = this.#slice();
          loss = loss === undefined ? value : Buffer.concat([loss, value]); // parts of one message, says Protobuf
          break;
        }
        case (10 << 3) | varint:
          probe = this.#varint();
          break;
        case (11 << 3) | varint:
          echo = this.#varint();
          break;
        case (12 << 3) | lengthDelimited: {
          const length = this.#length();
          const isOwn = self !== 0n && this.#isFor(self, length);
          const at = this.#advance(length);
          if (isOwn) own = this.#bytes.subarray(at, this.#at);
          break;
        }
        case (13 << 3) | varint:
          elsewhere = this.#varint();
          break;
        default:
          this.#skip(tag & 7);
      }
    }
    if (own !== undefined && to === 0n) {
      const batch = new Reader(own).batch(0n);
      const isElsewhere = batch.recordBytes > 0;
      return {
        ...batch,
        ...{ revision, from, isShared: true },
        ...(isElsewhere ? { records: [] } : { records, recordBytes }),
      };
    }
    return {
      revision,
      from,
      to,
      number,
      acknowledged,
      missing,
      credit,
      records,
      recordBytes: recordBytes + elsewhere,
      isShared: false,
      loss: loss && decodeLoss(loss),
      probe,
      echo,
    };
  }

  /** Whether the batch within this one that begins here is for an incarnation, which stands first in it. */
  #isFor(incarnation: bigint, length: number): boolean {
    if (length < 9 || this.#bytes[this.#at] !== ((3 << 3) | fixed64)) return false;
    return this.#view.getBigUint64(this.#at + 1, true) === incarnation;
  }

  #varint(): number {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 49; factor *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new NoBatch("ends within a varint");
      value += (byte & 0x7f) * factor;
      if (byte < 0x80 && value <= Number.MAX_SAFE_INTEGER) return value;
    }
    throw new NoBatch("a number of 2^53 or more");
  }

  #fixed64(): bigint {
    const at = this.#advance(8);
    return this.#view.getBigUint64(at, true);
  }

  #length(): number {
    const length = this.#varint();
    if (length > this.#bytes.length - this.#at) throw new NoBatch("ends within a field");
    return length;
  }

  #slice(): Uint8Array {
    const at = this.#advance(this.#length());
    return this.#bytes.subarray(at, this.#at);
  }

  #skip(wireType: number): void {
    if (wireType === varint) this.#varint64();
    else if (wireType === lengthDelimited) this.#advance(this.#length());
    else if (wireType === fixed64) this.#advance(8);
    else if (wireType === fixed32) this.#advance(4);
    else throw new NoBatch(`wire type ${wireType}`);
  }

  /** Passes over a number that may be too large. */
  #varint64(): void {
    for (let length = 1; length <= 10; length++) {
      const byte = this.#bytes[this.#advance(1)] ?? 0;
      if (byte < 0x80) return;
    }
    throw new NoBatch("a varint without end");
  }

  /** @returns where it was */
  #advance(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) throw new NoBatch("ends within a field");
    this.#at = at + length;
    return at;
  }
}

function decodeLoss(bytes: Uint8Array): LostChannels {
  try {
    const { all, channels } = fromBinary(LossSchema, bytes);
    return all ? "all" : channels.map(({ appId, channelKey }) => ({ appId, key: channelKey }));
  } catch (cause) {
    throw new NoBatch("not a Loss", { cause });
  }
}
