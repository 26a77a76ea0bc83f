/** A node, as one shard of the registry knows it. */
export interface RegisteredNode {
  readonly incarnation: bigint;
  /** An encoded `fanfare.cluster.v1alpha.NodeRecord`. */
  readonly record: Uint8Array;
  /** Since its lease was renewed there, by the shard's own clock, in milliseconds. */
  readonly ageMs: number;
}

/** What one shard of the registry said. */
export interface RegistryShard {
  /** Who is registered there, oneself included. */
  readonly nodes: readonly RegisteredNode[];
  /** The shard was not the same a moment ago: it was empty, or its primary is another one, so that what it lacks means nothing. */
  readonly unsettled: boolean;
  /** Somebody has removed the caller from it since its last renewal. Default: false. */
  readonly evicted?: boolean;
}

/** Who is in the cluster: leases, each kept under several hash tags on different shards. Who is dead decides the reader. */
export interface Registry {
  /** How many shards there are. */
  readonly shardCount: number;
  /**
   * Renews the lease of this incarnation with its record, and reads the others, in one go at each shard.
   * @returns for each shard what it said; undefined if it did not answer in time. Never rejects
   */
  renew(incarnation: bigint, record: Uint8Array): Promise<readonly (RegistryShard | undefined)[]>;
  /** Ends a lease, one's own or a dead node's, wherever it can be reached. */
  remove(incarnation: bigint): Promise<void>;
}

/** A record that was not renewed for this long is removed by whoever renews, in milliseconds. */
export const registryForgetMs = 10 * 60_000;
