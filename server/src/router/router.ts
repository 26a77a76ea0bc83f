import { type Channel, DeliveryClass, ErrorCode, Outcome, type Payload } from "@fanfare/proto/v1";
import type { Clock } from "../clock.ts";
import type { ChannelPolicy } from "../config/channel-policy.ts";
import { FanfareError } from "../fanfare-error.ts";
import type { LogPosition } from "../log/log-position.ts";
import type { MessageLog } from "../log/message-log.ts";
import type { Counters } from "../observe/counters.ts";
import { type ChannelKey, channelKey } from "../wire/channel-key.ts";
import { encodeMessageBody, messageFrameBytes } from "../wire/frame-encoding.ts";
import { OutboundFrame } from "../wire/outbound-frame.ts";

/** A message that was accepted and has its identity. */
export interface AcceptedMessage {
  readonly channel: Channel;
  readonly origin: bigint;
  /** Below 2^53. */
  readonly seq: number;
  readonly payload: Payload | undefined;
  /** The publishing player; empty for a backend. */
  readonly from: string;
  readonly volatile: boolean;
  readonly conflationKey: string;
  /** 0: never expires. */
  readonly ttlMs: number;
  /** A second identity in durable channels, scoped by whoever published. Default: none. */
  readonly idempotencyKey?: string;
}

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

/** Who was reached on this node. */
export interface LocalReport {
  readonly reached: number;
  readonly detached: number;
  readonly excluded: number;
}

const nobody: LocalReport = { reached: 0, detached: 0, excluded: 0 };

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
  /** Whether the player has a session, connected or within its window. */
  isOnline(playerId: string): boolean;
}

/** What became of a message. */
export type RouteResult =
  | { readonly outcome: Outcome.DELIVERED | Outcome.OFFLINE; readonly report: LocalReport }
  | {
      readonly outcome: Outcome.STORED;
      readonly position: LogPosition;
      /** It was stored before, under the same identity. */
      readonly repeated: boolean;
      readonly report: LocalReport;
    }
  | {
      readonly outcome: Outcome.FAILED | Outcome.UNKNOWN;
      readonly code: ErrorCode;
      readonly message: string;
      /** Where it is at the primary, if that is known. */
      readonly position?: LogPosition;
    };

/** What a router is made of. */
export interface RouterOptions<Exclusion> {
  readonly appId: string;
  readonly local: LocalDelivery<Exclusion>;
  readonly messageLog: MessageLog;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly policyFor: (channel: Channel) => ChannelPolicy | undefined;
}

/** Sends accepted messages of one app to where their receivers are. With the embedded broker that is this node alone. */
export class Router<Exclusion> {
  readonly #options: RouterOptions<Exclusion>;

  constructor(options: RouterOptions<Exclusion>) {
    this.#options = options;
  }

  /**
   * Encodes the message once, stores it if its channel is durable, and sends it on. `done` is called once: for a live message as a rule
   * before this returns. Stored are the messages of one channel in the order of the calls.
   */
  publish(message: AcceptedMessage, excluded: Exclusion | undefined, done: (result: RouteResult) => void): void {
    const policy = this.#options.policyFor(message.channel);
    const sentAtMs = this.#options.clock.nowMs();
    const expiresAtMs = message.ttlMs === 0 ? 0 : sentAtMs + message.ttlMs;
    const body = encodeMessageBody({ ...message, sentAtMs, expiresAtMs });
    if (policy?.deliveryClass === DeliveryClass.DURABLE) {
      const entry = { body, origin: message.origin, expiresAtMs, excludeSelf: excluded !== undefined };
      this.#store(message, policy, entry).then(done, (reason: unknown) => done(failure(reason)));
    } else this.#sendLive(message, body, expiresAtMs, excluded, done);
  }

  #sendLive(
    message: AcceptedMessage,
    body: Uint8Array,
    expiresAtMs: number,
    excluded: Exclusion | undefined,
    done: (result: RouteResult) => void,
  ): void {
    const { local, counters } = this.#options;
    const { channel } = message;
    const offline = channel.kind.case === "player" && !local.isOnline(channel.kind.value);
    if (offline) return done({ outcome: Outcome.OFFLINE, report: nobody });
    const volatile = message.volatile ? { conflation: conflationOf(message) } : undefined;
    const frame = new OutboundFrame(messageFrameBytes(body), { isMessage: true, volatile, expiresAtMs });
    const accepted = local.deliver(channelKey(channel), frame, excluded, (report) => {
      counters.messagesDelivered += report.reached;
      done({ outcome: Outcome.DELIVERED, report });
    });
    if (!accepted) {
      const text = "this node has too many messages to send; try again";
      done({ outcome: Outcome.FAILED, code: ErrorCode.UNAVAILABLE, message: text });
    }
  }

  /** @throws FanfareError if nothing was stored */
  async #store(
    message: AcceptedMessage,
    policy: ChannelPolicy,
    entry: Omit<StoredEntry, "position" | "previousTag">,
  ): Promise<RouteResult> {
    const { appId, messageLog, counters } = this.#options;
    const key = channelKey(message.channel);
    const { seq, idempotencyKey = "" } = message;
    const appended = await messageLog.append({ channel: { appId, key }, policy, seq, idempotencyKey, ...entry });
    if (appended.outcome === "unknown") {
      const { position, reason } = appended;
      const unknown = { outcome: Outcome.UNKNOWN, code: ErrorCode.DEADLINE_EXCEEDED, message: reason } as const;
      return position === undefined ? unknown : { ...unknown, position };
    }
    const { position, previousTag, repeated, body } = appended;
    if (body === undefined) return { outcome: Outcome.STORED, position, repeated, report: nobody };
    const stored: StoredEntry = { ...entry, body, position, previousTag };
    const report = await new Promise<LocalReport>((resolve) => {
      const accepted = this.#options.local.deliverStored(key, stored, resolve);
      if (!accepted) resolve(nobody); // its subscriptions find the hole and read it
    });
    counters.messagesDelivered += report.reached;
    return { outcome: Outcome.STORED, position, repeated, report };
  }
}

function failure(reason: unknown): RouteResult {
  const { code, message } = FanfareError.from(reason);
  return { outcome: Outcome.FAILED, code, message };
}

/** What two volatile messages have in common of which the newer replaces the older. */
function conflationOf({ origin, channel, conflationKey }: AcceptedMessage): string | undefined {
  return conflationKey === "" ? undefined : `${origin}|${channelKey(channel)}|${conflationKey}`;
}
