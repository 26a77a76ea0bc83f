/** Bounds and times of links. All have defaults. */
export interface LinkOptions {
  /** Revisions of the cluster protocol that this node understands. It speaks the highest that the peer understands, too. Default: 1 and 2. */
  readonly minRevision?: number;
  readonly maxRevision?: number;
  /** Peers at once. Past it a peer that nobody has named is forgotten, or a new one refused. Default: 128. */
  readonly maxPeers?: number;

  /** A batch with more records than one is not larger, in bytes. Default: 65,536. */
  readonly maxBatchBytes?: number;
  /** How long records wait at most for others to share their batch, in milliseconds. They wait only under load. Default: 2. */
  readonly maxLingerMs?: number;
  /** Batches of one link that may be without acknowledgement. Default: 256. */
  readonly maxUnacknowledged?: number;

  /** After which time a publish counts as failed, in milliseconds; more than the round trip to the broker. Default: 150. */
  readonly publishTimeoutMs?: number;
  /**
   * How long nothing is acknowledged before it is sent again over another lane, in milliseconds: adapted to the round trip within these bounds, and doubled
   * each time. Default: two thirds of `publishTimeoutMs`, and 1,000 or twice the former, whichever is more.
   */
  readonly minRetransmitMs?: number;
  readonly maxRetransmitMs?: number;
  /** Lanes that fail, one after the other, before a link is suspended. Default: 3. */
  readonly lanesBeforeSuspension?: number;
  /** How often a link that is suspended, or has no credit, asks whether anybody answers, in milliseconds. Default: 200, growing to 500. */
  readonly minProbeMs?: number;
  readonly maxProbeMs?: number;
  /** How long a link avoids a lane that failed it, in milliseconds, doubled each time. Default: 1,000, growing to 30,000. */
  readonly minAvoidMs?: number;
  readonly maxAvoidMs?: number;

  /** How long an acknowledgement waits for a batch to travel with, in milliseconds: seldom batches, and frequent ones. Default: 2 and 5. */
  readonly ackDelayMs?: number;
  readonly loadedAckDelayMs?: number;
  /** How long a receiver waits for a batch that a later one has overtaken on the same lane before it asks for it, in milliseconds. Default: 5. */
  readonly gapDelayMs?: number;

  /**
   * How long a record waits for credit or a lane before it is given up, and how long its sender waits for an acknowledgement before its outcome is unknown, in
   * milliseconds. Default: 3,000, or the time for another publish to follow one that failed, which is twice `publishTimeoutMs`, whichever is more.
   */
  readonly holdMs?: number;
  /** What may wait for one peer, by class, in bytes; each record counts 128 more than it has. Default: 4 MiB of live, 1 MiB of each other. */
  readonly maxLiveBytes?: number;
  readonly maxVolatileBytes?: number;
  readonly maxDurableBytes?: number;
  readonly maxControlBytes?: number;
  /** Channels that are named to a peer as having lost something. With more, all have. Default: 128. */
  readonly maxLossChannels?: number;

  /**
   * What all peers together may have on their way to this node, in bytes. Valkey disconnects a subscriber with 8 MiB in its output buffer for 60 s; the rest
   * is room for what is sent twice. Default: 6 MiB.
   */
  readonly maxInboundBytes?: number;
  /** What one peer may have of it, in bytes. Default: 1 MiB. */
  readonly maxPeerInboundBytes?: number;

  /**
   * Peers that a record is for, and that are sent nothing else in the same turn, from which on it is published once, over a lane to which all listen, and not to
   * each. Default: 3.
   */
  readonly sharedPeers?: number;
  /** The same for records of a turn that have so many bytes, however much else is sent to the peers. Default: 8,192. */
  readonly sharedBytes?: number;
  /**
   * What a node may publish over that lane in all that its listeners have not granted credit for, or that it has not heard itself, in bytes. Past it everybody
   * gets their own. Default: 512 KiB.
   */
  readonly maxOverdraftBytes?: number;
}

/** {@link LinkOptions} with nothing left out. */
export type ResolvedLinkOptions = Required<LinkOptions>;

/** What a link may send before it has heard of its peer, in bytes: part of the protocol. */
export const initialCreditBytes = 16_384;

/** Times that follow from how long a publish may take: where that is long, so is the way of an acknowledgement. */
function timesFor(publishTimeoutMs: number) {
  const minRetransmitMs = Math.max(1, (publishTimeoutMs * 2) / 3);
  return {
    publishTimeoutMs,
    minRetransmitMs,
    maxRetransmitMs: Math.max(1_000, 2 * minRetransmitMs),
    holdMs: Math.max(3_000, 2 * publishTimeoutMs),
  };
}

const defaultPublishTimeoutMs = 150;

const defaults: ResolvedLinkOptions = {
  ...timesFor(defaultPublishTimeoutMs),
  minRevision: 1,
  maxRevision: 2,
  maxPeers: 128,
  maxBatchBytes: 65_536,
  maxLingerMs: 2,
  maxUnacknowledged: 256,
  lanesBeforeSuspension: 3,
  minProbeMs: 200,
  maxProbeMs: 500,
  minAvoidMs: 1_000,
  maxAvoidMs: 30_000,
  ackDelayMs: 2,
  loadedAckDelayMs: 5,
  gapDelayMs: 5,
  maxLiveBytes: 4 << 20,
  maxVolatileBytes: 1 << 20,
  maxDurableBytes: 1 << 20,
  maxControlBytes: 1 << 20,
  maxLossChannels: 128,
  maxInboundBytes: 6 << 20,
  maxPeerInboundBytes: 1 << 20,
  sharedPeers: 3,
  sharedBytes: 8_192,
  maxOverdraftBytes: 512 << 10,
};

/**
 * Fills in the defaults.
 * @throws RangeError if an option is no positive number, a lower bound is above its upper one, or `maxInboundBytes` is less than `maxPeers` links begin with
 */
export function resolveLinkOptions(options: LinkOptions = {}): ResolvedLinkOptions {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const times = timesFor(options.publishTimeoutMs ?? defaultPublishTimeoutMs);
  const resolved: ResolvedLinkOptions = { ...defaults, ...times, ...given };
  for (const [name, value] of Object.entries(resolved)) {
    const least = name === "maxLingerMs" ? 0 : 1;
    if (!(value >= least)) throw new RangeError(`${name} is ${value}, and less than ${least}`);
  }
  for (const [least, most] of ranges) {
    if (resolved[least] > resolved[most]) throw new RangeError(`${least} is greater than ${most}`);
  }
  const leastInboundBytes = resolved.maxPeers * initialCreditBytes;
  if (resolved.maxInboundBytes < leastInboundBytes) {
    throw new RangeError(`maxInboundBytes is less than the ${leastInboundBytes} bytes that maxPeers links begin with`);
  }
  return Object.freeze(resolved);
}

const ranges = [
  ["minRevision", "maxRevision"],
  ["minRetransmitMs", "maxRetransmitMs"],
  ["minProbeMs", "maxProbeMs"],
  ["minAvoidMs", "maxAvoidMs"],
  ["ackDelayMs", "loadedAckDelayMs"],
] as const;
