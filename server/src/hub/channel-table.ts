import { PresenceMode } from "@fanfare/proto/config/v1";
import type { Channel } from "@fanfare/proto/v1";
import type { Clock } from "../clock.ts";
import type { ChannelPolicy } from "../config/channel-policy.ts";
import { type ChannelKey, groupOf } from "../wire/channel-key.ts";
import { ChannelPresence } from "./channel-presence.ts";
import { ChannelState } from "./channel-state.ts";

/** What the table needs to give a channel its presence. */
export interface ChannelTableOptions {
  readonly clock: Clock;
  readonly tickMs: number;
  /** Names this node's presence sections. */
  readonly section: bigint;
  readonly policyFor: (channel: Channel) => ChannelPolicy | undefined;
}

/** The channels of one app that have subscriptions on this node. Bounded by the subscriptions of its sessions. */
export class ChannelTable {
  readonly #options: ChannelTableOptions;
  readonly #channels = new Map<ChannelKey, ChannelState>();

  constructor(options: ChannelTableOptions) {
    this.#options = options;
  }

  get(key: ChannelKey): ChannelState | undefined {
    return this.#channels.get(key);
  }

  /** The channel, made if this is its first subscription. */
  open(key: ChannelKey): ChannelState {
    const known = this.#channels.get(key);
    if (known !== undefined) return known;
    const state = new ChannelState(key, (channel) => this.#presenceFor(channel));
    this.#channels.set(key, state);
    return state;
  }

  /** Forgets the channel if its last subscription has gone. */
  release(state: ChannelState): void {
    if (state.subscribers.size > 0) return;
    state.presence?.dispose();
    this.#channels.delete(state.key);
  }

  /** Channels with subscriptions. */
  all(): IterableIterator<ChannelState> {
    return this.#channels.values();
  }

  /** Groups with subscriptions. */
  *groups(): IterableIterator<{ group: string; state: ChannelState }> {
    for (const [key, state] of this.#channels) {
      const group = groupOf(key);
      if (group !== undefined) yield { group, state };
    }
  }

  /** Gives a channel the presence that its namespace has now; who watches begins anew with a snapshot. */
  renewPresence(state: ChannelState): void {
    state.presence?.dispose();
    state.presence = this.#presenceFor(state.channel);
    for (const subscription of state.subscribers) {
      state.presence?.join(subscription);
      if (subscription.watchesPresence) state.presence?.watch(subscription);
    }
  }

  #presenceFor(channel: Channel): ChannelPresence | undefined {
    const policy = this.#options.policyFor(channel);
    if (policy === undefined || policy.presence === PresenceMode.OFF) return undefined;
    const { clock, tickMs, section } = this.#options;
    return new ChannelPresence({
      channel,
      mode: policy.presence,
      maxMembers: policy.maxPresenceMembers,
      tickMs,
      section,
      clock,
    });
  }
}
