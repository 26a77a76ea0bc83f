import { Access, PresenceMode } from "@fanfare/proto/config/v1";
import type { Channel } from "@fanfare/proto/v1";
import type { ChannelPolicy } from "../config/channel-policy.ts";
import type { Capabilities } from "./capabilities.ts";

/** What decides over a player's access to a channel, beside its policy. */
export interface Standing {
  readonly capabilities: Capabilities;
  /** The player is a member of the group. Of a player's channel: it is the player's own. Of broadcast: no matter. */
  readonly isMember: boolean;
}

/** {@link Standing} of a session. */
export interface PublisherStanding extends Standing {
  /** The session subscribes the channel. */
  readonly isSubscribed: boolean;
}

/**
 * Whether a player may receive a channel. Of players' channels only the own one, whatever policy and capabilities say; a member's group
 * always, because the server opens it (FF-SB-018).
 */
export function maySubscribe(policy: ChannelPolicy, channel: Channel, standing: Standing): boolean {
  if (standing.isMember || channel.kind.case === "player") return standing.isMember;
  return grants(policy.subscribe, false, false) || standing.capabilities.allows("subscribe", channel);
}

/** Whether a session may send into a channel. */
export function mayPublish(policy: ChannelPolicy, channel: Channel, standing: PublisherStanding): boolean {
  return (
    grants(policy.publish, standing.isMember, standing.isSubscribed) || standing.capabilities.allows("publish", channel)
  );
}

/** Whether a player may see who is in a channel: where it has presence, whoever may subscribe it or has the capability. */
export function mayQueryPresence(policy: ChannelPolicy, channel: Channel, standing: Standing): boolean {
  if (policy.presence === PresenceMode.OFF) return false;
  return maySubscribe(policy, channel, standing) || standing.capabilities.allows("presence", channel);
}

function grants(access: Access, isMember: boolean, isSubscribed: boolean): boolean {
  switch (access) {
    case Access.ANYONE:
      return true;
    case Access.MEMBERS:
      return isMember;
    case Access.SUBSCRIBERS:
      return isSubscribed;
    default:
      return false;
  }
}
