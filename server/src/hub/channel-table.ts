import { PresenceMode } from "@fanfare/proto/config/v1";
import type { Channel } from "@fanfare/proto/v1";
import type { Clock } from "../clock.ts";
import type { ChannelPolicy } from "../config/channel-policy.ts";
import { type ChannelKey, groupOf } from "../wire/channel-key.ts";
import { ChannelPresence, type PresencePeers } from "./channel-presence.ts";
import { ChannelState } from "./channel-state.ts";

/** What the table needs to give a channel its presence. */
export interface ChannelTableOptions {
  readonly clock: Clock;
  readonly tickMs: number;
  /** Names this node's presence sections. */
  readonly section: bigint;
  readonly policyFor: (channel: Channel) => ChannelPolicy | undefined;
  /** Puts this node on the routes of its channels; undefined: it is alone. */
  readonly routes?: ChannelRoutes | undefined;
  /** A channel's presence on other nodes; undefined: this node is alone. */
  readonly peersOf?: ((key: ChannelKey) => PresencePeers) | undefined;
}

/** The routes of one app's channels. */
export interface ChannelRoutes {
  /** This node has the channel from now on. Undefined: its route stands; else settles when it does, or rejects with UNAVAILABLE. */
  hold(key: ChannelKey): Promise<void> | undefined;
  /** As many times as `hold`. */
  release(key: ChannelKey): void;
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
    const state = new ChannelState(key, (channel) => this.#presenceFor(key, channel));
    this.#channels.set(key, state);
    void this.#options.routes?.hold(key)?.catch(() => {}); // whoever has to know asks `routed`
    return state;
  }

  /** Puts this node on the routes of channels until `release`; `standing` settles when it is, undefined if it is already. */
  hold(keys: Iterable<ChannelKey>): { readonly standing: Promise<unknown> | undefined; release(): void } {
    const { routes } = this.#options;
    if (routes === undefined) return { standing: undefined, release() {} };
    const held = [...keys];
    const waiting = held.map((key) => routes.hold(key)).filter((standing) => standing !== undefined);
    const release = (): void => {
      for (const key of held) routes.release(key);
    };
    return { standing: waiting.length === 0 ? undefined : Promise.all(waiting), release };
  }

  /** Settles when messages for an open channel come to this node, from wherever; undefined: they do. @throws FanfareError UNAVAILABLE */
  routed(key: ChannelKey): Promise<unknown> | undefined {
    const { standing, release } = this.hold([key]);
    if (standing === undefined) return void release();
    return standing.finally(release);
  }

  /** Forgets the channel if its last subscription has gone. */
  release(state: ChannelState): void {
    if (state.subscribers.size > 0 || this.#channels.get(state.key) !== state) return;
    if (state.presence?.lingers === true) {
      state.presence.onSettled = () => this.release(state);
      return;
    }
    state.presence?.dispose();
    this.#channels.delete(state.key);
    this.#options.routes?.release(state.key);
  }

  /** Channels with subscriptions. */
  all(): IterableIterator<ChannelState> {
    return this.#channels.values();
  }

  /** Groups with subscriptions: none of which only presence lingers. */
  *groups(): IterableIterator<{ group: string; state: ChannelState }> {
    for (const [key, state] of this.#channels) {
      const group = groupOf(key);
      if (group !== undefined && state.subscribers.size > 0) yield { group, state };
    }
  }

  /** Whether the presence of a channel that has so many sessions on all nodes lists them. */
  listsMembers(channel: Channel, sessions: number): boolean {
    const policy = this.#options.policyFor(channel);
    return policy?.presence === PresenceMode.MEMBERS && sessions <= policy.maxPresenceMembers;
  }

  /** Gives a channel the presence that its namespace has now; who watches begins anew with a snapshot. */
  renewPresence(state: ChannelState): void {
    state.presence?.dispose();
    state.presence = this.#presenceFor(state.key, state.channel);
    for (const subscription of state.subscribers) {
      state.presence?.join(subscription);
      if (subscription.watchesPresence && !subscription.pending) state.presence?.watch(subscription);
    }
  }

  #presenceFor(key: ChannelKey, channel: Channel): ChannelPresence | undefined {
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
      peers: this.#options.peersOf?.(key),
    });
  }
}
