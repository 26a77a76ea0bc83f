import type { AppChannel } from "../../broker/route-store.ts";

/**
 * What a record is to a link that cannot send it at once, because the peer has granted no credit or no lane works.
 *
 * - `live`: held, up to a bound in bytes and time; then it fails, and the peer gets a `Loss` of its channel in its place.
 * - `volatile`: the newest of its `conflation` replaces an older one; past the bound the oldest is dropped and settled as failed, without a Loss.
 * - `durable`: the newest of its channel replaces older ones, which are settled as delivered: the peer sees the hole and reads the log.
 * - `control`: held up to a bound of its own; then it fails. Loses nothing silently, because somebody waits for an answer to it.
 */
export type RecordClass = "live" | "volatile" | "durable" | "control";

/** A record on its way to one peer. The same bytes may go to several. */
export interface LinkRecord {
  readonly class: RecordClass;
  /** An encoded `fanfare.cluster.v1alpha.Record`. */
  readonly bytes: Uint8Array;
  /** Of every class but `control`. */
  readonly channel?: AppChannel;
  /** Of `volatile`. */
  readonly conflation?: string;
}

/**
 * What became of a record.
 *
 * - `delivered`: the peer has handled it (its batch was acknowledged).
 * - `failed`: the peer has not got it and never will.
 * - `unknown`: it was sent, and no acknowledgement came in time, or the peer is gone.
 */
export type LinkOutcome = "delivered" | "failed" | "unknown";

/** The links of one incarnation to all others, as the router uses them. */
export interface LinkPort {
  /** Begins a link with a peer, or does nothing if there is one. */
  addPeer(incarnation: bigint): void;
  /** Ends the link: what is not settled is settled, and nothing of the peer is received any more. */
  removePeer(incarnation: bigint): void;
  /** Puts a record into the link's next batch. `settle` is called once, never before this returns. A peer that is not known: failed. */
  send(incarnation: bigint, record: LinkRecord, settle?: (outcome: LinkOutcome) => void): void;
  /** When a batch of the peer came in last, by the monotonic clock; -Infinity: never. */
  heardAtMs(incarnation: bigint): number;
}

/** What links hand to the router. */
export interface LinkReceiver {
  /** Records of a peer, encoded, in their order and each once. What throws is counted and logged, and the link goes on. */
  onRecords(from: bigint, records: readonly Uint8Array[]): void;
  /** The peer gave up live messages for these channels, or for all of them, before whatever comes next. */
  onLoss(from: bigint, channels: readonly AppChannel[] | "all"): void;
}
