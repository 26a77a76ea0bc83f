/** The payloads of whole, unmasked WebSocket messages, as the gateway writes them (RFC 6455, section 5.2). @throws if it is no such stream */
export function* messagesIn(stream: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  for (let at = 0; at < stream.length; ) {
    if ((view.getUint8(at) & 0xf0) !== 0x80) throw new Error("the node wrote something else than a whole message");
    const short = view.getUint8(at + 1);
    const headerBytes = short < 126 ? 2 : short === 126 ? 4 : 10;
    const length = short < 126 ? short : short === 126 ? view.getUint16(at + 2) : Number(view.getBigUint64(at + 2));
    const end = at + headerBytes + length;
    if (end > stream.length) throw new Error("the node wrote part of a message");
    yield stream.subarray(at + headerBytes, end);
    at = end;
  }
}
