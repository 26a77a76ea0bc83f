import { type Channel, SkipReason } from "@fanfare/proto/v1";
import type { LogItem, LogSkip } from "../../log/message-log.ts";
import { encodeFrame, messageFrameBytes } from "../../wire/frame-encoding.ts";
import { OutboundFrame } from "../../wire/outbound-frame.ts";

/** One entry of a log as it is sent: to the session that published it with `exclude_self`, and to all others. */
export class EntryFrames {
  readonly message: OutboundFrame;
  readonly #channel: Channel;
  readonly #entry: Entry;
  #excluded: OutboundFrame | undefined;

  constructor(channel: Channel, entry: Entry) {
    const { body, offset, tag, previousTag, expiresAtMs } = entry;
    this.#channel = channel;
    this.#entry = entry;
    const bytes = messageFrameBytes(body, { offset, tag, previousTag });
    const substitute = expiresAtMs === 0 ? undefined : this.#skip(SkipReason.EXPIRED);
    this.message = new OutboundFrame(bytes, { isMessage: true, expiresAtMs, substitute });
  }

  /** What stands in its place for the session that is left out. */
  get excluded(): OutboundFrame {
    this.#excluded ??= this.#skip(SkipReason.EXCLUDED);
    return this.#excluded;
  }

  #skip(reason: SkipReason): OutboundFrame {
    const { offset, tag, previousTag } = this.#entry;
    return skipFrame(this.#channel, { fromOffset: offset, toOffset: offset, tag, previousTag, reason });
  }
}

/** An entry with its message. */
export type Entry = Pick<
  Extract<LogItem, { kind: "message" }>,
  "body" | "offset" | "tag" | "previousTag" | "expiresAtMs"
>;

/** Offsets that hold nothing. */
export function skipFrame(
  channel: Channel,
  { fromOffset, toOffset, tag, previousTag, reason }: Omit<LogSkip, "kind" | "reason"> & { reason: SkipReason },
): OutboundFrame {
  const value = { channel, fromOffset: BigInt(fromOffset), toOffset: BigInt(toOffset), tag, previousTag, reason };
  return encodeFrame({ kind: { case: "skip", value } });
}
