import type { LogPosition } from "../log/log-position.ts";
import type { ChannelKey } from "../wire/channel-key.ts";
import type { OutboundFrame } from "../wire/outbound-frame.ts";

/** A message that a log has stored. */
export interface StoredEntry {
  readonly position: LogPosition;
  readonly previousTag: number;
  /** As `encodeMessageBody` made it. */
  readonly body: Uint8Array;
  readonly origin: bigint;
  /** By the wall clock, in milliseconds; 0: never. */
  readonly expiresAtMs: number;
  /** The session `origin` does not get it. */
  readonly excludeSelf: boolean;
}

/** Who was reached on a node, or on all of them. */
export interface LocalReport {
  readonly reached: number;
  readonly detached: number;
  readonly excluded: number;
  /** Nodes whose counts are missing. Default: 0. */
  readonly nodesUnreached?: number;
  /** The player whose channel it is has a session there, subscribed or not. Default: false. */
  readonly online?: boolean;
}

/** Nobody was there. */
export const nobody: LocalReport = { reached: 0, detached: 0, excluded: 0 };

/** The sessions of this node, as the router sees them. `Exclusion` is whatever names the session to leave out. */
export interface LocalDelivery<Exclusion> {
  /** Puts the frame into the send queues of a channel. False: refused, because too much waits. */
  deliver(
    key: ChannelKey,
    frame: OutboundFrame,
    excluded: Exclusion | undefined,
    done: (report: LocalReport) => void,
  ): boolean;
  /** Serves the subscriptions of a durable channel what was stored. False: refused, because too much waits; they read it later. */
  deliverStored(key: ChannelKey, entry: StoredEntry, done: (report: LocalReport) => void): boolean;
  /** The log of a durable channel was cleared, and goes on at this head. */
  cleared(key: ChannelKey, head: LogPosition): void;
  /** Whether the player has a session, connected or within its window. */
  isOnline(playerId: string): boolean;
  /** Whether the channel has a subscription. */
  has(key: ChannelKey): boolean;
  /** What names the session of an origin to `deliver`, if it subscribes the channel here. */
  exclusionOf(key: ChannelKey, origin: bigint): Exclusion | undefined;
  /** Whom a message to the channel would reach now. */
  audience(key: ChannelKey): LocalReport;
  /**
   * Messages for channels may have been missed, because of what happened between nodes: subscribers of live ones are told of a gap, durable
   * ones read on from their logs.
   */
  missed(isAffected: (key: ChannelKey) => boolean): void;
  /** As `missed`, of durable channels alone: nobody is told unless the log shows a hole. */
  lookAgain(isAffected: (key: ChannelKey) => boolean): void;
}
