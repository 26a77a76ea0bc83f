import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ChannelSchema, PayloadSchema } from "@fanfare/proto/v1";
import { type InputOf, type PayloadType, type Target, typed } from "@fanfare/sdk-core";

/** The payload of a control call: a value under the same payload types that clients use. Throws INVALID_ARGUMENT if it is none. */
export function payloadFor<S extends PayloadType>(type: S, value: InputOf<S>): MessageInitShape<typeof PayloadSchema> {
  const { payload } = typed(type, value);
  if (payload.json !== undefined) return { type: payload.type, data: { case: "json", value: payload.json } };
  if (payload.text !== undefined) return { type: payload.type, data: { case: "text", value: payload.text } };
  return { type: payload.type, data: { case: "binary", value: payload.binary ?? new Uint8Array() } };
}

/** The channel of a control call. */
export function channelFor(target: Target): MessageInitShape<typeof ChannelSchema> {
  if (target === "broadcast") return { kind: { case: "broadcast", value: true } };
  if ("player" in target) return { kind: { case: "player", value: target.player } };
  return { kind: { case: "group", value: target.group } };
}
