import {
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  toBinary,
  toJson,
  toJsonString,
} from "@bufbuild/protobuf";

/** How frames are written: the two subprotocols. */
export type Form = "binary" | "json";

/** The subprotocol of a form. */
export const subprotocolOf: Record<Form, string> = { binary: "fanfare.v1.proto", json: "fanfare.v1.json" };

/** A message as cases see it: every implicit default is there, enums have names. */
export function toCaseJson<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): JsonObject {
  return toJson(schema, message, { alwaysEmitImplicit: true }) as JsonObject;
}

/** Encodes one WebSocket message. */
export function encode<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  form: Form,
): Uint8Array | string {
  return form === "binary" ? toBinary(schema, message) : toJsonString(schema, message, { enumAsInteger: true });
}

/** Decodes one WebSocket message. @throws what the Protobuf runtime throws */
export function decode<Desc extends DescMessage>(schema: Desc, data: Uint8Array, form: Form): MessageShape<Desc> {
  if (form === "binary") return fromBinary(schema, data);
  const text = new TextDecoder("utf-8", { fatal: true }).decode(data);
  // Null is the default (FF-JS-006), and no second choice of a oneof.
  const json = JSON.parse(text, (_key, value: unknown) => (value === null ? undefined : value)) as JsonValue;
  return fromJson(schema, json, { ignoreUnknownFields: true });
}
