import { create, type JsonValue, type MessageInitShape, toBinary, toJson } from "@bufbuild/protobuf";
import { ErrorCode, type ServerFrameSchema, ServerFramesSchema } from "@fanfare/proto/v1";
import type { Breaks } from "../mutants/mutants.ts";
import type { Form } from "../run/frame-form.ts";

/** One WebSocket message with one frame. */
export function encodeFrame(
  frame: MessageInitShape<typeof ServerFrameSchema>,
  form: Form,
  breaks: Breaks,
): Uint8Array | string {
  const frames = breaks.has("joined-too-large") ? [frame, ...fillers()] : [frame];
  const message = create(ServerFramesSchema, { frames });
  if (form === "binary") {
    const bytes = toBinary(ServerFramesSchema, message);
    return breaks.has("bytes-behind-frames") ? Buffer.concat([bytes, Buffer.from([0xff])]) : bytes;
  }
  const json = toJson(ServerFramesSchema, message, {
    enumAsInteger: !breaks.has("enums-as-names"),
    useProtoFieldName: breaks.has("json-proto-names"),
  });
  return JSON.stringify(breaks.has("json-numbers-not-strings") ? withNumbers(json) : json);
}

/** More than may be joined. */
function fillers(): MessageInitShape<typeof ServerFrameSchema>[] {
  const value = { code: ErrorCode.INTERNAL, message: "x".repeat(1_000) };
  return Array.from({ length: 70 }, () => ({ kind: { case: "error" as const, value } }));
}

function withNumbers(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(withNumbers);
  if (typeof value === "string") return /^\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withNumbers(one)]));
}
