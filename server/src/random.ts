import { randomBytes } from "node:crypto";

/** Chance: so many random bytes. Injected as time is, so that a run can be repeated. */
export type RandomBytes = (length: number) => Uint8Array;

/** The machine's own chance. */
export const systemRandom: RandomBytes = randomBytes;

/** 64 random bits, not 0. */
export function randomId(random: RandomBytes): bigint {
  const bytes = random(8);
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true) || 1n;
}

/** 32 random bits, not 0. */
export function randomTag(random: RandomBytes): number {
  const bytes = random(4);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true) || 1;
}
