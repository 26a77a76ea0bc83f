import { create } from "@bufbuild/protobuf";
import { type Channel, ChannelSchema } from "@fanfare/proto/v1";

/** A channel as a map key: `p:<player>`, `g:<group>` or `b`. Unique within an app. */
export type ChannelKey = string;

/** The key of everybody's channel. */
export const broadcastKey: ChannelKey = "b";

/** The key of a player's own channel. */
export function playerKey(playerId: string): ChannelKey {
  return `p:${playerId}`;
}

/** The key of a group. */
export function groupKey(group: string): ChannelKey {
  return `g:${group}`;
}

/** The key of a channel that has passed the validator. */
export function channelKey(channel: Channel): ChannelKey {
  switch (channel.kind.case) {
    case "player":
      return playerKey(channel.kind.value);
    case "group":
      return groupKey(channel.kind.value);
    default:
      return broadcastKey;
  }
}

/** The channel of a key. */
export function channelOf(key: ChannelKey): Channel {
  if (key === broadcastKey) return create(ChannelSchema, { kind: { case: "broadcast", value: true } });
  const value = key.slice(2);
  return create(ChannelSchema, { kind: key.startsWith("p:") ? { case: "player", value } : { case: "group", value } });
}

/** The player's id if the key is of a player's channel. */
export function playerOf(key: ChannelKey): string | undefined {
  return key.startsWith("p:") ? key.slice(2) : undefined;
}

/** The group's name if the key is one's. */
export function groupOf(key: ChannelKey): string | undefined {
  return key.startsWith("g:") ? key.slice(2) : undefined;
}
