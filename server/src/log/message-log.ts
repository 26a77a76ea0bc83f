import type { SkipReason } from "@fanfare/proto/v1";
import type { ChannelPolicy } from "../config/channel-policy.ts";
import type { ChannelKey } from "../wire/channel-key.ts";
import type { LogPosition } from "./log-position.ts";

/** A durable channel of an app. */
export interface LogChannel {
  readonly appId: string;
  readonly key: ChannelKey;
}

/** What a channel's namespace says about its log. It comes with every call, because it changes without a restart. */
export type LogPolicy = Pick<ChannelPolicy, "retention" | "acknowledgement">;

/** A message to store. */
export interface AppendRequest {
  readonly channel: LogChannel;
  readonly policy: LogPolicy;
  /** The publisher; with `seq` the identity under which a repeat is recognised. */
  readonly origin: bigint;
  /** Higher than that of every append of this origin to this channel before it, unless it repeats one. 1 to 2^53 - 1. */
  readonly seq: number;
  /** A second identity, of a control call: scoped by whatever it begins with, and by the channel. Empty: none. */
  readonly idempotencyKey: string;
  /** Fields 1 to 13 of `fanfare.v1.Message`, encoded once; stored and returned unchanged. */
  readonly body: Uint8Array;
  /** By the wall clock, in milliseconds; 0: never. Past it a reader gets a skip. */
  readonly expiresAtMs: number;
  /** The session `origin` does not get it. */
  readonly excludeSelf: boolean;
}

/** Who is known to hold a stored message. */
export type Acknowledged = "primary" | "replica";

/** A message that is stored as its policy demands. */
export interface StoredAppend {
  readonly outcome: "stored";
  readonly position: LogPosition;
  /** Tag of the entry before it. */
  readonly previousTag: number;
  /** It was stored earlier under the same identity; this is the first position. */
  readonly repeated: boolean;
  /** `primary` under `ACKNOWLEDGEMENT_REPLICA`: its shard had no replica in sync. */
  readonly acknowledged: Acknowledged;
  /** What is stored there: the request's own body, or for a repeat the first one. Undefined if that is no longer kept. */
  readonly body: Uint8Array | undefined;
  /**
   * The incarnations that had a subscriber of the channel when this was stored, as a `RouteStore` has them; of a repeat, when it was repeated. Undefined: the
   * log does not know, or what it says cannot be relied upon now.
   */
  readonly route: readonly bigint[] | undefined;
}

/**
 * It is not known whether a message is stored as its policy demands. With a position it is stored at the primary. Appending it again
 * under the same identity, before anything newer of its origin, finds out and does no harm.
 */
export interface UnknownAppend {
  readonly outcome: "unknown";
  readonly position: LogPosition | undefined;
  readonly reason: "not replicated in time" | "no answer in time" | "identity forgotten";
}

/** What became of an append. */
export type AppendResult = StoredAppend | UnknownAppend;

/** An entry as it is read. */
export interface LogMessage {
  readonly kind: "message";
  readonly offset: number;
  readonly tag: number;
  readonly previousTag: number;
  readonly body: Uint8Array;
  readonly origin: bigint;
  readonly seq: number;
  readonly expiresAtMs: number;
  readonly excludeSelf: boolean;
}

/** Offsets that hold nothing for anybody. */
export interface LogSkip {
  readonly kind: "skip";
  readonly fromOffset: number;
  readonly toOffset: number;
  /** Of the entry at `toOffset`. */
  readonly tag: number;
  /** Of the entry before `fromOffset`. */
  readonly previousTag: number;
  readonly reason: SkipReason.EXPIRED | SkipReason.DELETED;
}

export type LogItem = LogMessage | LogSkip;

/** What a position is to the log as it stands. */
export type PositionVerdict =
  /** The log goes on from it, and nothing after it is missing. */
  | "ok"
  /** Entries after it have been trimmed. */
  | "trimmed"
  /** The log was lost or cleared since. */
  | "other-epoch"
  /** The log has another entry there, or does not reach that far. */
  | "forked";

/** The part of a log that can be read. In an empty log both are the same. */
export interface LogEnds {
  /** The newest position that may be read: entries past it are not acknowledged yet. */
  readonly head: LogPosition;
  /** The oldest position that can be read on from: nothing after it was trimmed. */
  readonly tail: LogPosition;
  /** There are entries past the head. When they may be read, nobody tells whoever has looked before. Default: false. */
  readonly isWithheld?: boolean;
}

/** One page to read. */
export interface ReadRequest {
  readonly channel: LogChannel;
  readonly policy: LogPolicy;
  readonly direction: "forward" | "backward";
  /** The position itself is not included. Undefined: the tail (forward), or behind the head (backward). */
  readonly from: LogPosition | undefined;
  /** Entries; at most 1000. */
  readonly limit: number;
  /** Bytes of bodies, after which a page ends. A page that is not at the end has at least one entry. */
  readonly maxBytes: number;
  /**
   * The log's ends of a moment ago, as {@link MessageLog.rewind} told them. With them a replica that has the head may answer, of which nobody knows whether it has
   * heard of deletions since. Default: it is read from the primary.
   */
  readonly ends?: LogEnds;
}

/** A page, or why there is none. */
export type ReadResult = LogEnds &
  (
    | {
        readonly verdict: "ok";
        /** In the direction asked for; every offset from `from` on is in exactly one of them. */
        readonly items: readonly LogItem[];
        /** Ask on from here. */
        readonly next: LogPosition;
        /** Nothing more in this direction, up to `head` or `tail`. */
        readonly atEnd: boolean;
      }
    | { readonly verdict: Exclude<PositionVerdict, "ok"> }
  );

/**
 * The stored messages of durable channels. A log exists from the first look at it; its position survives its emptying by age for 30 days.
 *
 * Nobody reads ahead of replication: what is not held as `policy.acknowledgement` demands is neither returned nor counted in `head`. An
 * implementation may withhold an entry that is acknowledged for a moment, never the reverse.
 *
 * Every method rejects with a FanfareError: UNAVAILABLE if the store is out of reach, LIMIT_EXCEEDED at a stated bound.
 */
export interface MessageLog extends AsyncDisposable {
  /**
   * Stores a message once. Appends of one origin to one channel are stored in the order of the calls; many under way at once share
   * their round trips.
   * @throws FanfareError when it is certain that nothing was stored and nothing will be: NOT_REPLICATED (`replica_strict` without a
   *   replica), UNAVAILABLE (also if a later message of the origin is stored already), DEADLINE_EXCEEDED never: that is `unknown`
   */
  append(request: AppendRequest): Promise<AppendResult>;
  /** @throws FanfareError NOT_REPLICATED if nothing is known to be replicated, so that not even the head can be told */
  read(request: ReadRequest): Promise<ReadResult>;
  /** @throws FanfareError NOT_REPLICATED, as `read` */
  ends(channel: LogChannel, policy: LogPolicy): Promise<LogEnds>;
  /** The position after which the newest `count` offsets follow, or all that are kept if they are fewer. Deleted offsets count. */
  rewind(channel: LogChannel, policy: LogPolicy, count: number): Promise<LogEnds & { readonly position: LogPosition }>;
  /** Removes the message at a position; `ok` also if it was removed before. Its offset stays, as a skip. */
  deleteMessage(channel: LogChannel, policy: LogPolicy, position: LogPosition): Promise<PositionVerdict>;
  /** Throws all entries away and begins a new epoch. Identities are remembered on. Returns the new head. */
  clear(channel: LogChannel, policy: LogPolicy): Promise<LogPosition>;
  /** Forgets a channel altogether; the next look begins a new log. @throws FanfareError UNAVAILABLE, DEADLINE_EXCEEDED: it may be erased or not */
  erase(channel: LogChannel): Promise<void>;
}
