import type { AppChannel } from "../../broker/route-store.ts";

/**
 * What a record is to a link that cannot send it at once, because the peer has granted no credit or no lane works.
 *
 * - `live`: held, up to a bound in bytes and time; then the oldest fails, and the peer gets a `Loss` of its channel in its place.
 * - `volatile`: the newest of its `conflation` in its channel replaces an older one, which fails; past the bound the oldest fails, without a Loss.
 * - `durable`: the newest of its channel replaces an older one, whose outcome is unknown: the peer sees the hole and reads the log. Past a bound the oldest fails,
 *   and the peer gets a `Loss` of its channel, too.
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
  /** Of `volatile`; absent or empty: it replaces none. */
  readonly conflation?: string;
}

/**
 * What became of a record.
 *
 * - `delivered`: the peer has handled it (its batch was acknowledged).
 * - `failed`: the peer has not got it and never will.
 * - `unknown`: it was sent, and no acknowledgement came in time, or the peer is gone; or the log has it, and a newer one stands for it. It may still arrive.
 */
export type LinkOutcome = "delivered" | "failed" | "unknown";

/** The links of one incarnation to all others, as the router uses them. */
export interface LinkPort {
  /**
   * Begins a link with a peer, or does nothing if there is one, or was one that ended: an incarnation does not come back. A batch of a peer that is not known does
   * the same.
   * @param maxRevision of the cluster protocol, as the peer's NodeRecord says. Default: what its batches show
   */
  addPeer(incarnation: bigint, maxRevision?: number): void;
  /**
   * Ends the link: what is not settled is settled, and nothing of the peer is received any more, now or ever.
   * @param hasLeft it has said that nobody is there any more: what it was sent is settled as delivered. Default: false
   */
  removePeer(incarnation: bigint, hasLeft?: boolean): void;
  /** Puts a record into the link's next batch. `settle` is called once, never before this returns. A peer that is not known: failed. */
  send(incarnation: bigint, record: LinkRecord, settle?: (outcome: LinkOutcome) => void): void;
  /**
   * The same to several peers, to each as {@link send} does, and in the order of everything that is sent to it. For many it is published once.
   * @param settles of each peer, in their order; none: nobody wants to know
   */
  sendToMany(
    incarnations: readonly bigint[],
    record: LinkRecord,
    settles?: readonly ((outcome: LinkOutcome) => void)[],
  ): void;
  /** When a batch of the peer came in last, by the monotonic clock; -Infinity: never. */
  heardAtMs(incarnation: bigint): number;
}

/** What links hand to the router. */
export interface LinkReceiver {
  /**
   * Records of a peer, encoded, in their order and each once; views of one buffer. What throws is counted and logged, and the link goes on.
   * @param keep called before this returns, it says that the records wait here: the peer may send as much again only when what `keep` gives is called
   */
  onRecords(from: bigint, records: readonly Uint8Array[], keep: () => () => void): void;
  /**
   * The peer gave up live messages of these channels, or of all of them, before whatever comes next. Of a durable channel: the news of stored ones; its log has
   * them.
   */
  onLoss(from: bigint, channels: readonly AppChannel[] | "all"): void;
}
