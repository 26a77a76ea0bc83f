import { fromBinary, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { type ClientFrame, ClientFramesSchema } from "@fanfare/proto/v1";
import type { Breaks } from "../mutants/mutants.ts";
import type { Form } from "../run/frame-form.ts";

/** The frames of one WebSocket message. @throws when it holds none in this form */
export function decodeFrames(data: Buffer, isBinary: boolean, form: Form, breaks: Breaks): ClientFrame[] {
  if (isBinary !== (form === "binary") && !breaks.has("text-on-binary")) throw new Error("the wrong kind of message");
  if (isBinary) {
    const { frames } = fromBinary(ClientFramesSchema, data);
    if (breaks.has("unknown-fields-refused") && frames.some(hasUnknown)) throw new Error("a field is not known");
    return frames;
  }
  const text = new TextDecoder("utf-8", { fatal: true }).decode(data);
  if (breaks.has("enum-names-refused") && text.includes('"ERROR_CODE_')) throw new Error("enum values are numbers");
  if (breaks.has("json-proto-names-refused") && /"[a-z]+_[a-z_]+":/.test(text)) throw new Error("a name is not known");
  if (breaks.has("json-null-refused") && text.includes(":null")) throw new Error("null is no value");
  const json = JSON.parse(text, (_key, value: unknown) => (value === null ? undefined : value)) as JsonValue;
  return fromJson(ClientFramesSchema, json, { ignoreUnknownFields: !breaks.has("json-members-refused") }).frames;
}

function hasUnknown({ $unknown, kind }: ClientFrame): boolean {
  return [$unknown, kind.value?.$unknown].some((fields) => fields !== undefined && fields.length > 0);
}
