/** Whether a lane of this node's inbox works. */
export interface LaneHealth {
  /** The shard that it goes through. */
  readonly shard: string;
  /** What this node sends to itself through it arrives. */
  readonly isUp: boolean;
  /** Since when, by the monotonic clock, in milliseconds. */
  readonly sinceMs: number;
}

/** How well a node is connected, as its probes tell: never by whether a connection is open. */
export interface BrokerHealth {
  /** Some lane works, so that others can be reached. With a shard out of reach there are lanes over other shards. */
  readonly isHealthy: boolean;
  /** Of each lane, by its number; empty before it is listened to. */
  readonly lanes: readonly LaneHealth[];
  /** Shards that do not answer. */
  readonly failingShards: readonly string[];
  /** Tells when a lane comes or goes. Returns how to stop listening. */
  onChanged(listener: () => void): () => void;
}
