import { fromBinary, toJson } from "@bufbuild/protobuf";
import { type ServerFrame, ServerFramesSchema } from "@fanfare/proto/v1";

/** How a volatile frame is treated when a reader is slow. */
export interface VolatileTraits {
  /** Frames with the same value replace an unsent older one; undefined: never replaced. */
  readonly conflation: string | undefined;
}

/** What a frame is beside its bytes. */
export interface FrameTraits {
  readonly isMessage?: boolean;
  readonly volatile?: VolatileTraits | undefined;
  readonly expiresAtMs?: number;
  readonly substitute?: OutboundFrame | undefined;
}

/**
 * One frame on its way to one or many connections, encoded once. Its bytes are a complete ServerFrames with this one frame, so
 * that two of them, one behind the other, are a valid ServerFrames too.
 */
export class OutboundFrame {
  readonly bytes: Uint8Array;
  /** Set if the frame may be dropped. */
  readonly volatileTraits: VolatileTraits | undefined;
  /** By the wall clock, in milliseconds; 0: never. */
  readonly expiresAtMs: number;
  /** It carries a message, whose delivery is counted. */
  readonly isMessage: boolean;
  /** What is sent in its place when it has expired; undefined: nothing. */
  readonly substitute: OutboundFrame | undefined;
  #json: string | undefined;
  #jsonByteLength = 0;

  constructor(bytes: Uint8Array, traits: FrameTraits = {}) {
    this.bytes = bytes;
    this.isMessage = traits.isMessage ?? false;
    this.volatileTraits = traits.volatile;
    this.expiresAtMs = traits.expiresAtMs ?? 0;
    this.substitute = traits.substitute;
  }

  /** The frame as the element of a JSON ServerFrames; rendered at the first call and kept. */
  get json(): string {
    this.#json ??= renderJson(this.bytes);
    return this.#json;
  }

  /** Bytes of `json` in UTF-8. */
  get jsonByteLength(): number {
    this.#jsonByteLength ||= Buffer.byteLength(this.json);
    return this.#jsonByteLength;
  }
}

function renderJson(bytes: Uint8Array): string {
  const frames = fromBinary(ServerFramesSchema, bytes).frames;
  return frames.map((frame) => JSON.stringify(jsonOf(frame))).join(",");
}

function jsonOf(frame: ServerFrame): unknown {
  const frames = toJson(
    ServerFramesSchema,
    { $typeName: "fanfare.v1.ServerFrames", frames: [frame] },
    { enumAsInteger: true },
  );
  return (frames as { frames: unknown[] }).frames[0];
}
