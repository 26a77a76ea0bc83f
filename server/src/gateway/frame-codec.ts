import { fromBinary, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { type ClientFrame, ClientFrameSchema, ClientFramesSchema, ErrorCode } from "@fanfare/proto/v1";
import { type Violation, validatorFor } from "@fanfare/proto/validate";
import { FanfareError } from "../fanfare-error.ts";
import type { FrameFormat } from "./join-frames.ts";

/** The most frames of one WebSocket message; the bound of ClientFrames.frames. */
export const maxFrames = 1024;

const validateFrame = validatorFor(ClientFrameSchema);

/**
 * Decodes one WebSocket message. Bounds of the frames themselves are left to `frameViolation`, so that one bad frame is answered alone.
 * @throws FanfareError MALFORMED if it is no ClientFrames, INVALID_ARGUMENT if it holds too many frames
 */
export function decodeFrames(data: Buffer, format: FrameFormat): ClientFrame[] {
  const { frames } = format === "proto" ? decodeBinary(data) : decodeText(data);
  if (frames.length <= maxFrames) return frames;
  throw new FanfareError(ErrorCode.INVALID_ARGUMENT, `a message holds at most ${maxFrames} frames`, {
    field: "frames",
  });
}

/** The first bound that a frame breaks. */
export function frameViolation(frame: ClientFrame): Violation | undefined {
  return validateFrame(frame);
}

function decodeBinary(data: Buffer) {
  try {
    return fromBinary(ClientFramesSchema, data, { readUnknownFields: false });
  } catch (cause) {
    const detail = cause instanceof Error ? `: ${cause.message}` : ""; // says nothing of what the bytes hold
    throw new FanfareError(ErrorCode.MALFORMED, `the message is no valid ClientFrames${detail}`, { cause });
  }
}

function decodeText(data: Buffer) {
  try {
    const text = data.toString("utf8");
    const json = JSON.parse(text, text.includes("null") ? withoutNull : undefined) as JsonValue;
    return fromJson(ClientFramesSchema, json, { ignoreUnknownFields: true });
  } catch (cause) {
    throw new FanfareError(ErrorCode.MALFORMED, `the message is no valid JSON form of ClientFrames${whereOf(cause)}`, {
      cause,
    });
  }
}

/** Leaves out members that are null (FF-JS-006): the runtime takes one beside the chosen member of a oneof for a second choice. */
function withoutNull(_key: string, value: unknown): unknown {
  return value === null ? undefined : value;
}

/** Where decoding stopped. What stands there is left out: it may be a token (FF-SC-003). */
function whereOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : "";
  const [where] = /^cannot decode (field|message) [\w.]+ from JSON(: expected [^,:"]*)?/.exec(text) ?? [];
  return where === undefined ? "" : `: ${where}`;
}
