import { type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import type { Mutated, SendRaw } from "@fanfare/proto/conformance/v1alpha";
import { HarnessError } from "./failure.ts";

/** How the parts of a raw message are made. */
export interface RawParts<Frame> {
  text(text: string): string;
  json(json: JsonValue): JsonValue;
  frames(templates: readonly JsonObject[]): Frame[];
  encode(frames: readonly Frame[]): Uint8Array;
}

/** The bytes of one WebSocket message, and whether it is text. */
export function rawMessage<Frame>(raw: SendRaw, parts: RawParts<Frame>): { data: Uint8Array; isText: boolean } {
  const { data } = raw;
  switch (data.case) {
    case "hex":
      return { data: bytesOf(data.value), isText: false };
    case "zeros":
      return { data: new Uint8Array(data.value), isText: false };
    case "textHex":
      return { data: bytesOf(data.value), isText: true };
    case "text":
      return { data: Buffer.from(parts.text(data.value)), isText: true };
    case "blanks":
      return { data: Buffer.from(`{}${" ".repeat(data.value)}`), isText: true };
    case "json":
      return { data: Buffer.from(JSON.stringify(parts.json(toJson(ValueSchema, data.value)))), isText: true };
    case "mutated":
      return { data: mutated(data.value, parts), isText: false };
    default:
      throw new HarnessError("a raw message has no data");
  }
}

function mutated<Frame>(one: Mutated, parts: RawParts<Frame>): Uint8Array {
  let bytes = parts.encode(parts.frames(one.frames));
  if (one.appendToKindHex !== "") bytes = insertInto(bytes, bytesOf(one.appendToKindHex), 2);
  if (one.appendToFrameHex !== "") bytes = insertInto(bytes, bytesOf(one.appendToFrameHex), 1);
  return one.truncateTo === 0 ? bytes : bytes.subarray(0, one.truncateTo);
}

/** Puts bytes at the end of the first field that is a message, `depth` levels down, and corrects the lengths around them. */
function insertInto(bytes: Uint8Array, added: Uint8Array, depth: number): Uint8Array {
  if (depth === 0) return Buffer.concat([bytes, added]);
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at] ?? 0;
    const [value, after] = varintAt(bytes, at + 1);
    if ((tag & 7) === 2) {
      const inner = insertInto(bytes.subarray(after, after + value), added, depth - 1);
      return Buffer.concat([bytes.subarray(0, at + 1), varint(inner.length), inner, bytes.subarray(after + value)]);
    }
    if ((tag & 7) !== 0) break;
    at = after;
  }
  throw new HarnessError("a frame that is to be changed has no field to put something into");
}

function varintAt(bytes: Uint8Array, from: number): [value: number, after: number] {
  let value = 0;
  for (let at = from, shift = 0; ; at++, shift += 7) {
    const byte = bytes[at] ?? 0;
    value |= (byte & 0x7f) << shift;
    if ((byte & 0x80) === 0) return [value, at + 1];
  }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Uint8Array.from([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}

function bytesOf(hex: string): Uint8Array {
  return Buffer.from(hex.replaceAll(/\s/g, ""), "hex");
}
