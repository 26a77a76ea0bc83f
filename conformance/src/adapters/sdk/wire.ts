import type { MessageInitShape } from "@bufbuild/protobuf";
import type { PublishCommand } from "@fanfare/proto/conformance/v1alpha";
import type {
  ChannelSchema,
  PayloadSchema,
  PositionSchema,
  PresenceMemberSchema,
  Channel as WireChannel,
  Position as WirePosition,
} from "@fanfare/proto/v1";
import type { LogPosition, Payload, PresenceMember, Target } from "@fanfare/sdk-core";

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

/** A position of a command as the SDK takes it. */
export function positionOf({ epoch, offset, tag }: WirePosition): LogPosition {
  return { epoch: Number(epoch), offset: Number(offset), tag };
}

/** A position of the SDK as reports hold it; an absent one is left out. */
export function wirePosition<K extends string>(
  name: K,
  position: LogPosition | undefined,
): { [P in K]?: MessageInitShape<typeof PositionSchema> } {
  if (position === undefined) return {};
  const { epoch, offset, tag } = position;
  return { [name]: { epoch: BigInt(epoch), offset: BigInt(offset), tag } } as {
    [P in K]?: MessageInitShape<typeof PositionSchema>;
  };
}

/** Somebody who is present as reports hold them. */
export function wireMember({
  origin,
  playerId,
  payload,
}: PresenceMember): MessageInitShape<typeof PresenceMemberSchema> {
  return { origin, playerId, data: wirePayload(payload) };
}
