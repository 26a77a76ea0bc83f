import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";

/** A longer message is no message: the other side writes something else to the stream. */
const maxBytes = 16 * 1024 * 1024;

/** A message with its length before it, as a 32-bit big-endian number. */
export function framed<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): Uint8Array {
  const body = toBinary(schema, message);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
}

/** The messages of a stream, each preceded by its length. @throws when the stream holds something else */
export async function* readFramed<Desc extends DescMessage>(
  schema: Desc,
  stream: AsyncIterable<Buffer>,
): AsyncGenerator<MessageShape<Desc>> {
  let rest: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 4) {
      const length = rest.readUInt32BE();
      if (length > maxBytes)
        throw new RangeError(`a message of ${length} bytes: is something else written to the stream?`);
      if (rest.length < 4 + length) break;
      yield fromBinary(schema, rest.subarray(4, 4 + length));
      rest = rest.subarray(4 + length);
    }
  }
}
