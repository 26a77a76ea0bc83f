import type { Random } from "../random.ts";

/** Bytes below the level of messages: what stands in a TCP stream where WebSocket frames should (RFC 6455, section 5.2). */
export function brokenStream(random: Random, message: Uint8Array): Buffer {
  const parts = Array.from({ length: 1 + random.below(4) }, () => brokenFrame(random, message));
  return Buffer.concat(parts);
}

/** An upgrade request with headers missing, doubled or odd. */
export function brokenUpgrade(random: Random, host: string): Buffer {
  const path = random.pick([
    "/v1/connect",
    "/v1/connect",
    "/v1/connect?x=%zz",
    "/",
    "/v1/../v1/connect",
    "*",
    "http://x/",
  ]);
  const headers = [
    `Host: ${random.pick([host, "", "x".repeat(300)])}`,
    "Connection: Upgrade",
    `Upgrade: ${random.pick(["websocket", "WebSocket", "h2c", ""])}`,
    `Sec-WebSocket-Version: ${random.pick(["13", "13", "8", "99", ""])}`,
    `Sec-WebSocket-Key: ${random.pick(["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ==", "short", ""])}`,
    `Sec-WebSocket-Protocol: ${random.pick(["fanfare.v1.proto", "fanfare.v1.json", "chat", "a,,b", "\u00ff"])}`,
    `X-Forwarded-For: ${random.pick(["1.1.1.1", "x", ",,,"])}`,
    `Origin: ${random.pick(["null", "http://localhost", "x"])}`,
  ].filter(() => random.chance(0.95));
  if (random.chance(0.2)) headers.push(random.pick(headers));
  return Buffer.from(`GET ${path} HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`, "latin1");
}

function brokenFrame(random: Random, message: Uint8Array): Buffer {
  switch (random.below(9)) {
    case 0: // not masked
      return frame({ first: 0x82, payload: message, masked: false });
    case 1: // an opcode or bits that are reserved
      return frame({ first: random.below(256), payload: message.subarray(0, 100) });
    case 2: // a length far beyond what follows
      return Buffer.concat([Buffer.from([0x82, 0xff]), random.bytes(8), message]);
    case 3: // 2 MiB that are announced and never come
      return Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0x20, 0, 0, 1, 2, 3, 4, 5]);
    case 4: // a control frame that is too long, or in fragments
      return frame({ first: random.pick([0x89, 0x8a, 0x88, 0x09]), payload: random.bytes(random.below(200)) });
    case 5: // fragments without an end, or a continuation of nothing
      return Buffer.concat(
        Array.from({ length: 1 + random.below(20) }, () =>
          frame({ first: random.pick([0x02, 0x00, 0x80, 0x01]), payload: random.bytes(random.below(30)) }),
        ),
      );
    case 6: // a close with an odd code or reason
      return frame({ first: 0x88, payload: Uint8Array.from([...random.bytes(2), ...random.bytes(random.below(130))]) });
    case 7: // text that is no UTF-8
      return frame({ first: 0x81, payload: random.bytes(random.below(60)) });
    default:
      return Buffer.from(random.bytes(random.below(200)));
  }

  function frame(options: { first: number; payload: Uint8Array; masked?: boolean }): Buffer {
    const { first, payload, masked = true } = options;
    const { length } = payload;
    const maskBit = masked ? 0x80 : 0;
    const header =
      length < 126
        ? Buffer.from([first, maskBit | length])
        : Buffer.from([first, maskBit | 126, length >> 8, length & 0xff]);
    if (!masked) return Buffer.concat([header, payload]);
    const mask = random.bytes(4);
    return Buffer.concat([header, mask, payload.map((byte, i) => byte ^ mask[i % 4]!)]);
  }
}
