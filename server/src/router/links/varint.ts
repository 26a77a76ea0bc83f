/** Bytes that a number takes up as a varint. From 0 to 2^53 - 1. */
export function varintLength(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  let length = 3;
  for (let rest = Math.floor(value / 0x200000); rest > 0; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

/** Writes a number from 0 to 2^53 - 1. @returns where it ends */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let index = at;
  let rest = value;
  while (rest >= 0x8000_0000) {
    bytes[index++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  while (rest > 0x7f) {
    bytes[index++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[index++] = rest;
  return index;
}
