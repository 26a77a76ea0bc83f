import { type DescMessage, fromJson, type JsonValue, type MessageShape, toJson } from "@bufbuild/protobuf";
import { framed, readFramed } from "./length-prefixed.ts";

/** How messages are told apart on a stream: adapter.proto says what each is. */
export type StreamForm = "length-prefixed" | "json-lines";

/** A longer line is no message. */
const maxLineLength = 16 * 1024 * 1024;
const brace = 0x7b;
const lineFeed = 0x0a;

/** A message as it goes over a stream of this form. */
export function streamed<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  form: StreamForm,
): Uint8Array {
  return form === "length-prefixed"
    ? framed(schema, message)
    : Buffer.from(`${JSON.stringify(toJson(schema, message))}\n`);
}

/**
 * The messages of a stream in the form that its first byte tells.
 * @param onForm called with it before the first message
 * @throws when the stream holds something else
 */
export async function* readStreamed<Desc extends DescMessage>(
  schema: Desc,
  stream: AsyncIterable<Buffer>,
  onForm: (form: StreamForm) => void,
): AsyncGenerator<MessageShape<Desc>> {
  const chunks = stream[Symbol.asyncIterator]();
  const first = await chunks.next();
  if (first.done) return;
  async function* all() {
    yield first.value as Buffer;
    yield* { [Symbol.asyncIterator]: () => chunks };
  }
  const form = first.value[0] === brace ? "json-lines" : "length-prefixed";
  onForm(form);
  if (form === "length-prefixed") yield* readFramed(schema, all());
  else yield* readLines(schema, all());
}

async function* readLines<Desc extends DescMessage>(
  schema: Desc,
  stream: AsyncIterable<Buffer>,
): AsyncGenerator<MessageShape<Desc>> {
  let rest: Buffer<ArrayBufferLike> = Buffer.alloc(0);
  for await (const chunk of stream) {
    let from = rest.length;
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(lineFeed, from); end !== -1; end = rest.indexOf(lineFeed, from)) {
      const line = rest.subarray(0, end).toString("utf8").trim();
      rest = rest.subarray(end + 1);
      from = 0;
      if (line !== "") yield fromJson(schema, JSON.parse(line) as JsonValue, { ignoreUnknownFields: true });
    }
    if (rest.length > maxLineLength) throw new RangeError(`a line of more than ${maxLineLength} bytes`);
  }
}
