import { Reader } from "./reader.ts";
import { type ClientFrame, type ClientFrames, type ServerFrame, type ServerFrames, schema } from "./schema.ts";
import { Writer } from "./writer.ts";

/** What a frame is written from: every field may be left out. */
export type Init<T> = T extends string | number | boolean | bigint | Uint8Array
  ? T
  : T extends readonly (infer E)[]
    ? readonly Init<E>[]
    : { readonly [K in keyof T]?: Init<T[K]> | undefined };

type Values = Record<string, unknown>;

interface Field {
  name: string;
  number: number;
  /** A letter of the schema's, or "" for a message. */
  type: string;
  message: Type | undefined;
  repeated: boolean;
  oneof: boolean;
}

interface Type {
  fields: Field[];
  byNumber: (Field | undefined)[];
  defaults: Values;
  /** Names of the repeated fields. */
  lists: string[];
}

const defaults: Record<string, unknown> = { s: "", u: 0, n: 0, f: 0, B: false, o: 0n };
const wireTypes: Record<string, number> = { u: 0, n: 0, B: 0, o: 1, f: 5 };

let types: Map<string, Type> | undefined;

function typeNamed(name: string): Type {
  types ??= parseSchema();
  return types.get(name) as Type;
}

function parseSchema(): Map<string, Type> {
  const lines = schema
    .trim()
    .split("\n")
    .map((line) => line.split(" "));
  const parsed = new Map<string, Type>(
    lines.map(([name = ""]) => [name, { fields: [], byNumber: [], defaults: {}, lists: [] }]),
  );
  for (const [name = "", ...fields] of lines) {
    const type = parsed.get(name) as Type;
    let next = 1;
    for (const text of fields) {
      const [fieldName = "", kind = "", number = next] = text.split(/[:=]/);
      const bare = kind.replace(/[*?]/, "");
      const message = parsed.get(bare);
      const field: Field = {
        name: fieldName,
        number: Number(number),
        type: message === undefined ? bare : "",
        message,
        repeated: kind.endsWith("*"),
        oneof: kind.endsWith("?"),
      };
      type.fields.push(field);
      next = field.number + 1;
      type.byNumber[field.number] = field;
      if (field.repeated) type.lists.push(fieldName);
      else if (!field.oneof && message === undefined) type.defaults[fieldName] = defaults[bare];
    }
  }
  return parsed;
}

/** Reads a ServerFrames. Throws on bytes that are none. `each` is told the size of every frame as it is read. */
export function decodeServerFrames(bytes: Uint8Array, each: (frame: ServerFrame, byteLength: number) => void): void {
  const reader = new Reader(bytes);
  const type = typeNamed("ServerFrame");
  while (reader.at < bytes.length) {
    const tag = reader.varint();
    if (tag !== 10) {
      reader.skip(tag & 7);
      continue;
    }
    const end = reader.end();
    const start = reader.at;
    each(readMessage(reader, end, type, undefined) as unknown as ServerFrame, end - start);
  }
}

/** Reads a message of the schema. Throws on bytes that are none. */
export function decode<T extends keyof Decodable>(name: T, bytes: Uint8Array): Decodable[T] {
  return readMessage(new Reader(bytes), bytes.length, typeNamed(name), undefined) as unknown as Decodable[T];
}

interface Decodable {
  ClientFrames: ClientFrames;
  ServerFrames: ServerFrames;
}

function readMessage(reader: Reader, end: number, type: Type, into: Values | undefined): Values {
  const values: Values = into ?? { ...type.defaults };
  if (into === undefined) {
    for (const name of type.lists) values[name] = [];
  }
  let chosen = "";
  while (reader.at < end) {
    const tag = reader.varint();
    const field = type.byNumber[tag >>> 3];
    if (field === undefined || (tag & 7) !== (wireTypes[field.type] ?? 2)) {
      reader.skip(tag & 7);
      continue;
    }
    const { name } = field;
    if (field.oneof) {
      if (chosen !== "" && chosen !== name) delete values[chosen];
      chosen = name;
    }
    if (field.repeated) (values[name] as unknown[]).push(readValue(reader, field, undefined));
    else values[name] = readValue(reader, field, values[name] as Values | undefined);
  }
  if (reader.at !== end) throw new RangeError("field is longer than its message");
  return values;
}

function readValue(reader: Reader, field: Field, into: Values | undefined): unknown {
  switch (field.type) {
    case "":
      return readMessage(reader, reader.end(), field.message as Type, into);
    case "s":
      return reader.string();
    case "b":
      return reader.binary();
    case "B":
      return reader.varint() !== 0;
    case "o":
      return reader.fixed64();
    case "f":
      return reader.fixed32();
    case "u":
      return reader.varint() >>> 0;
    default:
      return reader.varint();
  }
}

/** Appends one frame of a ClientFrames. */
export function writeClientFrame(writer: Writer, frame: Init<ClientFrame>): void {
  writer.varint(10);
  writer.delimited(() => writeMessage(writer, typeNamed("ClientFrame"), frame as Values));
}

/** The bytes of a message of the schema. */
export function encode<T extends keyof Decodable>(name: T, value: Init<Decodable[T]>): Uint8Array {
  const writer = new Writer();
  writeMessage(writer, typeNamed(name), value as Values);
  return writer.take();
}

function writeMessage(writer: Writer, type: Type, values: Values): void {
  for (const field of type.fields) {
    const value = values[field.name];
    if (value === undefined) continue;
    if (field.repeated) for (const element of value as unknown[]) writeField(writer, field, element);
    else if (field.oneof || value !== defaults[field.type]) writeField(writer, field, value);
  }
}

function writeField(writer: Writer, field: Field, value: unknown): void {
  writer.varint(field.number * 8 + (wireTypes[field.type] ?? 2));
  switch (field.type) {
    case "":
      writer.delimited(() => writeMessage(writer, field.message as Type, value as Values));
      break;
    case "s":
      writer.string(value as string);
      break;
    case "b":
      writer.binary(value as Uint8Array);
      break;
    case "o":
      writer.fixed64(value as bigint);
      break;
    case "f":
      writer.fixed32(value as number);
      break;
    default:
      writer.varint(Number(value));
      break;
  }
}
