import { fromBinary, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { type ClientFrame, ClientFramesSchema } from "@fanfare/proto/v1";
import type { Breaks } from "../mutants/mutants.ts";
import type { Form } from "../run/frame-form.ts";

/** The frames of one WebSocket message. @throws when it holds none in this form */
export function decodeFrames(data: Buffer, isBinary: boolean, form: Form, breaks: Breaks): ClientFrame[] {
  if (isBinary !== (form === "binary") && !breaks.has("text-on-binary")) throw new Error("the wrong kind of message");
  if (isBinary) return fromBinary(ClientFramesSchema, data).frames;
  const text = new TextDecoder("utf-8", { fatal: true }).decode(data);
  const json = JSON.parse(text, (_key, value: unknown) => (value === null ? undefined : value)) as JsonValue;
  return fromJson(ClientFramesSchema, json, { ignoreUnknownFields: !breaks.has("json-members-refused") }).frames;
}
