/** In place of an incarnation: all who listen. No node has it. */
export const everybody = 0n;

/**
 * Ways from node to node: sharded pub/sub channels of which each node has one a lane, its inbox. Lanes are spread over the shards, so that
 * the loss of a shard leaves others. A lane loses, delays and doubles, and says nothing of it: links make up for that.
 */
export interface Lanes {
  /** How many there are; the same in all nodes of a cluster. */
  readonly count: number;
  /** The shard that a lane goes through, as far as known: lanes with the same shard share their fate. */
  shardOf(lane: number): string;
  /**
   * Sends to the inbox of an incarnation, or to all who listen, if it is {@link everybody}. The bytes must not be changed afterwards.
   * @returns how many received it at the server that took it. 0 is a bad sign and no proof: a replica that takes it counts none of the primary's
   * subscribers and passes it on to them (seen with Valkey 8.0.1). More than 0 does not prove that the node got it
   * @throws FanfareError UNAVAILABLE if it is not known whether it was sent
   */
  publish(lane: number, incarnation: bigint, bytes: Uint8Array): Promise<number>;
  /**
   * Receives from the inbox of this node's incarnation, and what is sent to everybody, by this node too. Called again, it listens for that incarnation instead. Settles when all lanes that can
   * be reached stand; the others follow by themselves. What is published must not begin with a byte 0.
   * @throws FanfareError UNAVAILABLE if nobody can be reached
   */
  listen(incarnation: bigint, onBytes: (bytes: Uint8Array, lane: number) => void): Promise<void>;
}
