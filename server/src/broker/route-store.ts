import type { ChannelKey } from "../wire/channel-key.ts";

/** A channel of an app, as routes, links and logs name it. */
export interface AppChannel {
  readonly appId: string;
  readonly key: ChannelKey;
}

/**
 * Which incarnations have a subscriber of a channel. Soft state that its owners re-assert. Broadcast has no route: everybody is on it.
 *
 * Calls under way at the same moment share round trips, a batch a shard.
 */
export interface RouteStore {
  /**
   * Puts an incarnation on the route; held by a replica where the shard has one, so that a failover does not lose it. A change with a lower
   * `sequence` than the last of that incarnation does nothing.
   * @returns whether it was there already
   */
  add(channel: AppChannel, incarnation: bigint, sequence: number): Promise<boolean>;
  /** Takes an incarnation off the route, unless it was put there under a higher sequence. */
  remove(channel: AppChannel, incarnation: bigint, sequence: number): Promise<void>;
  /** The incarnations on the route. Begun after an `add` was answered, it has what that added. */
  read(channel: AppChannel): Promise<readonly bigint[]>;
  /** Tells when routes may have been lost: the primary of slots is another one, or a connection was. Returns how to stop listening. */
  onUnsettled(listener: (isAffected: (channel: AppChannel) => boolean) => void): () => void;
  /**
   * Goes through all routes and takes a dead incarnation off them, a page at a time.
   * @returns how many routes it was on
   */
  sweep(incarnation: bigint, signal: AbortSignal): Promise<number>;
}
