/** What the first bytes of every payload say, so that the receiving side can measure and check. */
export interface Stamp {
  /** `performance.now()` of the load process at the publish, in milliseconds. */
  readonly sentAtMs: number;
  /** Index of the publisher. */
  readonly publisher: number;
  /** Counts the publishes of that publisher from 0, through all rounds. */
  readonly counter: number;
}

export const stampBytes = 16;

/** Writes the stamp at `offset`, little-endian: float64 time, uint32 publisher, uint32 counter. */
export function writeStamp(target: Uint8Array, offset: number, stamp: Stamp): void {
  const view = new DataView(target.buffer, target.byteOffset + offset, stampBytes);
  view.setFloat64(0, stamp.sentAtMs, true);
  view.setUint32(8, stamp.publisher, true);
  view.setUint32(12, stamp.counter, true);
}

export function readStamp(source: Uint8Array, offset: number): Stamp {
  const view = new DataView(source.buffer, source.byteOffset + offset, stampBytes);
  return { sentAtMs: view.getFloat64(0, true), publisher: view.getUint32(8, true), counter: view.getUint32(12, true) };
}

/** A payload of `length` bytes that begins with the stamp. The rest is filled with bytes that are not all alike. */
export function stampedPayload(length: number, stamp: Stamp): Uint8Array {
  const payload = new Uint8Array(length);
  for (let i = stampBytes; i < length; i++) payload[i] = i & 0xff;
  writeStamp(payload, 0, stamp);
  return payload;
}
