import type { MessageInitShape } from "@bufbuild/protobuf";
import type { PublishCommand } from "@fanfare/proto/conformance/v1alpha";
import type { ChannelSchema, PayloadSchema, Channel as WireChannel } from "@fanfare/proto/v1";
import type { Payload, Target } from "@fanfare/sdk-core";

/** A channel of a command as the SDK names it. */
export function targetOf(channel: WireChannel | undefined): Target {
  const kind = channel?.kind;
  if (kind?.case === "group") return { group: kind.value };
  return kind?.case === "player" ? { player: kind.value } : "broadcast";
}

/** A channel of the SDK as reports name it. */
export function wireChannel(target: Target): MessageInitShape<typeof ChannelSchema> {
  if (target === "broadcast") return { kind: { case: "broadcast", value: true } };
  return {
    kind: "group" in target ? { case: "group", value: target.group } : { case: "player", value: target.player },
  };
}

/** A payload of the SDK as reports hold it. */
export function wirePayload({ type, binary, text, json }: Payload): MessageInitShape<typeof PayloadSchema> {
  if (text !== undefined) return { type, data: { case: "text", value: text } };
  if (json !== undefined) return { type, data: { case: "json", value: json } };
  return { type, data: { case: "binary", value: binary ?? new Uint8Array() } };
}

/** A payload of a command as the SDK takes it. */
export function payloadOf(payload: PublishCommand["payload"]): Payload {
  const { type = "", data } = payload ?? {};
  if (data?.case === "text") return { type, text: data.value };
  return data?.case === "json" ? { type, json: data.value } : { type, binary: data?.value ?? new Uint8Array() };
}
