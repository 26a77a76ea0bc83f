import { fromBinary, fromJsonString } from "@bufbuild/protobuf";
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
    throw malformed("the message is no valid ClientFrames", cause);
  }
}

function decodeText(data: Buffer) {
  try {
    return fromJsonString(ClientFramesSchema, data.toString("utf8"), { ignoreUnknownFields: true });
  } catch (cause) {
    throw malformed("the message is no valid JSON form of ClientFrames", cause);
  }
}

function malformed(message: string, cause: unknown): FanfareError {
  const detail = cause instanceof Error ? `: ${cause.message}` : "";
  return new FanfareError(ErrorCode.MALFORMED, `${message}${detail}`, { cause });
}
