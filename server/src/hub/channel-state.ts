import type { Channel } from "@fanfare/proto/v1";
import type { LogPosition } from "../log/log-position.ts";
import { type ChannelKey, channelOf } from "../wire/channel-key.ts";
import type { ChannelPresence } from "./channel-presence.ts";
import { Subscribers } from "./subscribers.ts";

/** A channel that has at least one subscription on this node. */
export class ChannelState {
  readonly key: ChannelKey;
  readonly channel: Channel;
  readonly subscribers = new Subscribers();
  /** Undefined where the namespace has no presence. */
  presence: ChannelPresence | undefined;
  /**
   * Durable: the newest position whose entry was fed to the subscriptions of this node; undefined before the first. It can be older than
   * what a reader has, and than the log's head: a repeat of an old entry may be the first that is fed.
   */
  feedHead: LogPosition | undefined;

  constructor(key: ChannelKey, presence: (channel: Channel) => ChannelPresence | undefined) {
    this.key = key;
    this.channel = channelOf(key);
    this.presence = presence(this.channel);
  }
}
