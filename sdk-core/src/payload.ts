import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { checkName } from "./bounds.ts";
import { FanfareError } from "./error.ts";
import { ErrorCode, type Payload as WirePayload } from "./wire/schema.ts";

/** What travels in a message: a type name, which may be empty, and one of three kinds of data. */
export interface Payload {
  /** The full name of a Protobuf message, or a name of the game's own. */
  readonly type: string;
  /** Any bytes; of a Protobuf message, its binary form. */
  readonly binary?: Uint8Array;
  /** Plain text. */
  readonly text?: string;
  /** The text of one JSON value. */
  readonly json?: string;
}

/** How values of one type are put into payloads and got out of them. */
export interface Codec<T, Input = T> {
  /** Payload.type: written when sending; what is received under another type is not for this codec. Undefined: any. */
  readonly type: string | undefined;
  /** The kind of data it reads and writes; undefined: any. */
  readonly kind: "binary" | "text" | "json" | undefined;
  /** Writes a value. Throws if it cannot be written. */
  encode(value: Input): Payload;
  /** Throws if the data is not what the codec expects. */
  decode(payload: Payload): T;
}

/** What messages are sent and received as: a Protobuf message's generated schema, or a {@link Codec}. */
export type PayloadType = DescMessage | Codec<unknown, never>;

/** What is received as a payload type. */
export type ValueOf<S extends PayloadType> = S extends DescMessage
  ? MessageShape<S>
  : S extends Codec<infer T, never>
    ? T
    : never;

/** What can be sent as a payload type. */
export type InputOf<S extends PayloadType> = S extends DescMessage
  ? MessageInitShape<S>
  : S extends { encode(value: infer I): Payload }
    ? I
    : never;

/**
 * JSON values under a type name. The type parameter is a promise of the sender: what is received is parsed, and checked only if
 * `parse` is given, which gets the parsed value and returns it or throws.
 */
export function json<T>(type = "", parse?: (value: unknown) => T): Codec<T> {
  return {
    type,
    kind: "json",
    encode: (value) => ({ type, json: JSON.stringify(value) ?? "null" }),
    decode: (payload) => {
      const value: unknown = JSON.parse(payload.json ?? "");
      return parse === undefined ? (value as T) : parse(value);
    },
  };
}

/** Strings, under a type name if one is given. */
export function text(type = ""): Codec<string> {
  return { type, kind: "text", encode: (value) => ({ type, text: value }), decode: (payload) => payload.text ?? "" };
}

/** Bytes, under a type name if one is given. What is received is a view of the message it came in. */
export function bytes(type = ""): Codec<Uint8Array> {
  return {
    type,
    kind: "binary",
    encode: (value) => ({ type, binary: value }),
    decode: (payload) => payload.binary ?? new Uint8Array(),
  };
}

/** Every payload as it is, whatever its type. */
export const anyPayload: Codec<Payload> = {
  type: undefined,
  kind: undefined,
  encode: (payload) => payload,
  decode: (payload) => payload,
};

const codecs = new WeakMap<DescMessage, Codec<unknown, never>>();

/** The codec of a payload type; of a Protobuf schema, its binary form under its full name. */
export function codecOf<S extends PayloadType>(type: S): Codec<ValueOf<S>, InputOf<S>> {
  if (!isSchema(type)) return type as unknown as Codec<ValueOf<S>, InputOf<S>>;
  let codec = codecs.get(type);
  if (codec === undefined) {
    const schema: DescMessage = type;
    codec = {
      type: schema.typeName,
      kind: "binary",
      encode: (value) => ({ type: schema.typeName, binary: toBinary(schema, create(schema, value)) }),
      decode: (payload) => fromBinary(schema, payload.binary ?? new Uint8Array()),
    };
    codecs.set(type, codec);
  }
  return codec as unknown as Codec<ValueOf<S>, InputOf<S>>;
}

function isSchema(type: PayloadType): type is DescMessage {
  return type.kind === "message";
}

/** The payload of a value. Throws INVALID_ARGUMENT if the codec cannot write it. */
export function encodePayload<S extends PayloadType>(type: S, value: InputOf<S>): Payload {
  let payload: Payload;
  try {
    payload = codecOf(type).encode(value);
  } catch (thrown) {
    throw new FanfareError(ErrorCode.INVALID_ARGUMENT, `the value is no ${nameOf(type)}`, { cause: thrown });
  }
  checkName("payload.type", payload.type, 128, 0);
  return payload;
}

/** A value that says how it travels. */
export class TypedValue {
  /** The value as it travels. */
  readonly payload: Payload;

  /** @internal */
  constructor(payload: Payload) {
    this.payload = payload;
  }
}

/** A value of a payload type, where a JSON value would be taken as well. Throws INVALID_ARGUMENT if the codec cannot write it. */
export function typed<S extends PayloadType>(type: S, value: InputOf<S>): TypedValue {
  return new TypedValue(encodePayload(type, value));
}

/** What is shown in presence: a typed value, or anything else as JSON without a type name. */
export function presencePayload(data: unknown): Payload {
  return data instanceof TypedValue ? data.payload : encodePayload(json(), data);
}

/** Whether a payload is meant for a codec. Without a type name, the kind of data alone decides. */
export function isFor(payload: Payload, codec: Codec<unknown, never>): boolean {
  if (codec.type === undefined) return true;
  return payload.type === codec.type && (codec.type !== "" || codec.kind === kindOf(payload));
}

/** The value in a payload. Throws MALFORMED if the data is not what the type name promises. */
export function decodePayload<S extends PayloadType>(type: S, payload: Payload): ValueOf<S> {
  const codec = codecOf(type);
  try {
    const kind = kindOf(payload);
    if (codec.kind !== undefined && kind !== codec.kind) throw new TypeError(`${kind} instead of ${codec.kind} data`);
    return codec.decode(payload);
  } catch (thrown) {
    throw new FanfareError(ErrorCode.MALFORMED, `a payload of type "${payload.type}" is no ${nameOf(type)}`, {
      cause: thrown,
    });
  }
}

/** A payload that is absent, and one whose data is unset, are the same as empty bytes. */
export function fromWirePayload(payload: WirePayload | undefined): Payload {
  if (payload === undefined) return { type: "", binary: new Uint8Array() };
  return kindOf(payload) === "binary" && payload.binary === undefined
    ? { type: payload.type, binary: new Uint8Array() }
    : payload;
}

function kindOf(payload: Payload): "binary" | "text" | "json" {
  if (payload.text !== undefined) return "text";
  return payload.json !== undefined ? "json" : "binary";
}

function nameOf(type: PayloadType): string {
  const { type: name, kind } = codecOf(type);
  return name || `${kind ?? "payload"}`;
}
