import { type DescField, type DescMessage, fromBinary, toJson } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** An encoded message as hex, a field a line (long ones several), its name and value behind a `#`. */
export function annotatedHex(schema: DescMessage, bytes: Uint8Array): string {
  const lines = linesOf(schema, bytes, 0);
  const width = Math.max(...lines.map(({ hex }) => hex.length));
  return lines.map(({ hex, note }) => (note === "" ? hex : `${hex.padEnd(width)} # ${note}`)).join("\n");
}

const bytesOfLine = 16;

interface Line {
  hex: string;
  note: string;
}

function linesOf(message: DescMessage, bytes: Uint8Array, depth: number): Line[] {
  const reader = new BinaryReader(bytes);
  const lines: Line[] = [];
  const add = (from: number, to: number, note: string) => {
    const indent = "  ".repeat(depth);
    for (let at = from; at < to; at += bytesOfLine) {
      const hex = indent + spaced(bytes.subarray(at, Math.min(at + bytesOfLine, to)));
      lines.push({ hex, note: at === from ? note : "" });
    }
  };
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [number, wireType] = reader.tag();
    const field = message.fields.find((one) => one.number === number);
    if (field === undefined) throw new Error(`${message.typeName} has no field ${number}`);
    if (wireType === WireType.LengthDelimited && field.message !== undefined) {
      const length = reader.uint32();
      const from = reader.pos;
      add(start, from, `${field.name}: ${length} bytes`);
      lines.push(...linesOf(field.message, bytes.subarray(from, from + length), depth + 1));
      reader.pos = from + length;
    } else {
      reader.skip(wireType, number);
      add(start, reader.pos, `${field.name}: ${valueText(message, field, bytes.subarray(start, reader.pos))}`);
    }
  }
  return lines;
}

/** The value of one field, as the JSON form has it. */
function valueText(message: DescMessage, field: DescField, encoded: Uint8Array): string {
  const json = toJson(message, fromBinary(message, encoded), { enumAsInteger: true, alwaysEmitImplicit: true });
  return JSON.stringify((json as Record<string, unknown>)[field.jsonName]);
}

function spaced(bytes: Uint8Array): string {
  return (Buffer.from(bytes).toString("hex").match(/../g) ?? []).join(" ");
}
