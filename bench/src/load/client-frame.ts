/**
 * Not zero, because a server may skip the work of unmasking for a zero key, and not random, because only browsers need that: the
 * key protects proxies from bytes that a page has chosen.
 */
const mask = [0x9a, 0x27, 0x5c, 0xe1] as const;

/** One masked WebSocket frame of a client, with `payload` as its whole message. */
export function clientFrame(opcode: number, payload: Uint8Array): Uint8Array {
  const extended = payload.length < 126 ? 0 : payload.length < 65_536 ? 2 : 8;
  const start = 2 + extended + 4;
  const frame = new Uint8Array(start + payload.length);
  const view = new DataView(frame.buffer);
  frame[0] = 0x80 | opcode;
  if (extended === 0) frame[1] = 0x80 | payload.length;
  else if (extended === 2) {
    frame[1] = 0x80 | 126;
    view.setUint16(2, payload.length);
  } else {
    frame[1] = 0x80 | 127;
    view.setBigUint64(2, BigInt(payload.length));
  }
  frame.set(mask, 2 + extended);
  for (let i = 0; i < payload.length; i++) frame[start + i] = payload[i]! ^ mask[i & 3]!;
  return frame;
}
