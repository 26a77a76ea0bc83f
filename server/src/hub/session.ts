import type { TokenBucket } from "../limits/token-bucket.ts";
import type { Capabilities } from "../namespace/capabilities.ts";
import type { ChannelKey } from "../wire/channel-key.ts";
import type { PendingCalls } from "./pending-calls.ts";
import type { PublishResults } from "./publish-results.ts";
import type { SessionLink } from "./session-link.ts";
import type { Subscription } from "./subscription.ts";

/** What a verified token says. */
export interface Credentials {
  readonly appId: string;
  readonly playerId: string;
  readonly expiresAtMs: number;
  readonly issuedAtMs: number;
  /** Groups the player is a member of as long as a session lives by this token. */
  readonly groups: readonly string[];
  readonly capabilities: Capabilities;
}

/** What a session is made of. */
export interface SessionInit {
  readonly id: string;
  readonly origin: bigint;
  readonly startedAtMs: number;
  readonly credentials: Credentials;
  readonly features: ReadonlySet<string>;
  readonly attempt: number;
  /** Higher at every node that the session comes to. */
  readonly generation: number;
  /** When it came here from another node, by the monotonic clock. Default: it began here. */
  readonly movedAtMs?: number | undefined;
  readonly results: PublishResults;
  readonly calls: PendingCalls;
  readonly publishBucket: TokenBucket;
}

/**
 * One client instance of a player. Outlives its connections within the resume window.
 *
 * | state | link | ends by |
 * |---|---|---|
 * | connected | set | `detach` -> detached; `end` -> ended |
 * | detached | undefined | `resume` -> connected; the window's timer or `end` -> ended |
 * | departed | set while it is handed over | `handedOver`, or its connection is lost -> gone from this node |
 * | ended | undefined | nothing; its id may be in the tombstones |
 */
export class Session {
  readonly id: string;
  readonly origin: bigint;
  readonly startedAtMs: number;
  readonly appId: string;
  readonly playerId: string;
  /** Of its presence entries here: of two nodes' entries the one with the higher generation counts. */
  readonly generation: number;
  /** When it came here from another node, by the monotonic clock; undefined: it began here. */
  readonly movedAtMs: number | undefined;
  readonly subscriptions = new Map<ChannelKey, Subscription>();
  readonly results: PublishResults;
  readonly calls: PendingCalls;
  readonly publishBucket: TokenBucket;
  credentials: Credentials;
  features: ReadonlySet<string>;
  /** The highest attempt of its hellos. */
  attempt: number;
  /** The connection; undefined while detached. */
  link: SessionLink | undefined;
  ended = false;
  /** It goes on at another node. Until its old connection is flushed, that is served what its channels still bring. */
  departed = false;
  /** A claim of it has failed here, and may have been carried out: then the store names this node, and another may have had the session meanwhile. */
  mayBeOld = false;
  /** When it was connected last, by the monotonic clock. */
  connectedAtMs = 0;
  /** Channels of the server's own that the client has unsubscribed. */
  readonly unsubscribed = new Set<ChannelKey>();
  /** Cancels the end of the resume window. */
  cancelWindow: (() => void) | undefined;
  /** Token buckets of namespaces with a limit of their own, by channel. */
  channelBuckets: Map<ChannelKey, TokenBucket> | undefined;

  constructor(init: SessionInit) {
    this.id = init.id;
    this.origin = init.origin;
    this.startedAtMs = init.startedAtMs;
    this.credentials = init.credentials;
    this.appId = init.credentials.appId;
    this.playerId = init.credentials.playerId;
    this.features = init.features;
    this.attempt = init.attempt;
    this.generation = init.generation;
    this.movedAtMs = init.movedAtMs;
    this.results = init.results;
    this.calls = init.calls;
    this.publishBucket = init.publishBucket;
  }

  /** Subscriptions that only the client asked for; what Limits.max_subscriptions bounds. */
  get clientSubscriptions(): number {
    let count = 0;
    for (const subscription of this.subscriptions.values()) if (!subscription.byServer) count++;
    return count;
  }
}
