import type { LiveMessage, StoredMessage } from "@fanfare/proto/cluster/v1alpha";
import { type Channel, DeliveryClass, ErrorCode, Outcome, type Payload } from "@fanfare/proto/v1";
import type { Clock } from "../clock.ts";
import type { ChannelPolicy } from "../config/channel-policy.ts";
import { FanfareError } from "../fanfare-error.ts";
import type { LogPosition } from "../log/log-position.ts";
import type { MessageLog } from "../log/message-log.ts";
import type { Counters } from "../observe/counters.ts";
import { type ChannelKey, channelKey, playerOf } from "../wire/channel-key.ts";
import { encodeMessageBody, messageFrameBytes } from "../wire/frame-encoding.ts";
import { OutboundFrame } from "../wire/outbound-frame.ts";
import type { Cluster, ClusterApp } from "./cluster/cluster.ts";
import type { Targets } from "./cluster/route-resolver.ts";
import { type LocalDelivery, type LocalReport, nobody, type StoredEntry } from "./local-delivery.ts";
import { PublishOutcome } from "./publish-outcome.ts";
import { RecentSeqs } from "./recent-seqs.ts";

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
  /** The publisher wants to know how many it reached. */
  readonly wantReport: boolean;
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
      /** Whom it reached as far as that is known. */
      readonly report?: LocalReport;
    };

/** What a router is made of. */
export interface RouterOptions<Exclusion> {
  readonly appId: string;
  readonly local: LocalDelivery<Exclusion>;
  readonly messageLog: MessageLog;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly policyFor: (channel: Channel) => ChannelPolicy | undefined;
  /** The other nodes; undefined: there are none. */
  readonly cluster?: Cluster | undefined;
}

/** Sends accepted messages of one app to where their receivers are: on this node, and in a cluster on others. */
export class Router<Exclusion> implements ClusterApp {
  readonly #options: RouterOptions<Exclusion>;
  /** Only used in a cluster: alone, repeats are recognised where they come in. */
  readonly #seqs = new RecentSeqs();

  constructor(options: RouterOptions<Exclusion>) {
    this.#options = options;
    options.cluster?.attach(options.appId, this);
  }

  /**
   * Encodes the message once, stores it if its channel is durable, and sends it on. `done` is called once: for a live message of a node that
   * is alone as a rule before this returns. Messages of one channel are stored, and sent on, in the order of the calls.
   */
  publish(message: AcceptedMessage, excluded: Exclusion | undefined, done: (result: RouteResult) => void): void {
    const policy = this.#options.policyFor(message.channel);
    const sentAtMs = this.#options.clock.nowMs();
    const expiresAtMs = message.ttlMs === 0 ? 0 : sentAtMs + message.ttlMs;
    const body = encodeMessageBody({ ...message, sentAtMs, expiresAtMs });
    if (policy?.deliveryClass === DeliveryClass.DURABLE) {
      const entry = { body, origin: message.origin, expiresAtMs, excludeSelf: excluded !== undefined };
      this.#store(message, policy, entry).then(done, (reason: unknown) => done(failure(reason)));
    } else if (this.#options.cluster === undefined) this.#sendLive(message, body, expiresAtMs, excluded, done);
    else this.#spreadLive(this.#options.cluster, message, body, expiresAtMs, excluded, done);
  }

  /** Settles when what was published to a channel until now is on its way; undefined: it is. */
  dispatched(key: ChannelKey): Promise<void> | undefined {
    const { cluster, appId } = this.#options;
    return cluster?.resolver.dispatched({ appId, key });
  }

  receiveLive(message: LiveMessage, done: (report: LocalReport | "refused") => void): boolean {
    const { local, counters } = this.#options;
    const { channelKey: key, body, volatile, conflation } = message;
    const tell = (report: LocalReport): void => done(this.#isOnline(key) ? { ...report, online: true } : report);
    if (!local.has(key)) {
      tell(nobody);
      return false;
    }
    if (this.#seqs.isRepeat(key, message.origin, Number(message.seq), volatile)) {
      counters.messagesRepeated++;
      tell(local.audience(key));
      return true;
    }
    const expiresAtMs = Number(message.expiresAtMs);
    const traits = volatile ? { conflation: conflation === "" ? undefined : conflation } : undefined;
    const frame = new OutboundFrame(messageFrameBytes(body), { isMessage: true, volatile: traits, expiresAtMs });
    const excluded = message.excludeSelf ? local.exclusionOf(key, message.origin) : undefined;
    const accepted = local.deliver(key, frame, excluded, (report) => {
      counters.messagesDelivered += report.reached;
      tell(report);
    });
    if (!accepted) done("refused");
    return true;
  }

  receiveStored(message: StoredMessage, done: (report: LocalReport | "refused") => void): boolean {
    const { local, counters } = this.#options;
    const { channelKey: key, tag, previousTag, body, origin, excludeSelf } = message;
    if (!local.has(key)) {
      done(nobody);
      return false;
    }
    const position = { epoch: Number(message.epoch), offset: Number(message.offset), tag };
    if (message.cleared) {
      local.cleared(key, position);
      done(nobody);
      return true;
    }
    const entry = { position, previousTag, body, origin, expiresAtMs: Number(message.expiresAtMs), excludeSelf };
    const accepted = local.deliverStored(key, entry, (report) => {
      counters.messagesDelivered += report.reached;
      done(report);
    });
    if (!accepted) done(nobody); // its subscriptions find the hole and read it
    return true;
  }

  missed(isAffected: (key: ChannelKey) => boolean): void {
    this.#options.local.missed(isAffected);
  }

  lookAgain(isAffected: (key: ChannelKey) => boolean): void {
    this.#options.local.lookAgain(isAffected);
  }

  /** A log was cleared by this node: its subscribers anywhere go on at the new head. */
  cleared(key: ChannelKey, head: LogPosition): void {
    const { cluster, local, appId } = this.#options;
    local.cleared(key, head);
    cluster?.resolve({ appId, key }, (targets) => {
      const others = cluster.othersOf(targets === "unreachable" ? "everybody" : targets);
      cluster.delivery.cleared(others, { appId, key }, head);
    });
  }

  /** The player whose channel it is has a session here, also if that has unsubscribed it. */
  #isOnline(key: ChannelKey): boolean {
    const playerId = playerOf(key);
    return playerId !== undefined && this.#options.local.isOnline(playerId);
  }

  #sendLive(
    message: AcceptedMessage,
    body: Uint8Array,
    expiresAtMs: number,
    excluded: Exclusion | undefined,
    done: (result: RouteResult) => void,
  ): void {
    const { channel } = message;
    const offline = channel.kind.case === "player" && !this.#options.local.isOnline(channel.kind.value);
    if (offline) return done({ outcome: Outcome.OFFLINE, report: nobody });
    const accepted = this.#deliverHere(message, body, expiresAtMs, excluded, (report) =>
      done({ outcome: Outcome.DELIVERED, report }),
    );
    if (!accepted) {
      const text = "this node has too many messages to send; try again";
      done({ outcome: Outcome.FAILED, code: ErrorCode.UNAVAILABLE, message: text });
    }
  }

  #spreadLive(
    cluster: Cluster,
    message: AcceptedMessage,
    body: Uint8Array,
    expiresAtMs: number,
    excluded: Exclusion | undefined,
    done: (result: RouteResult) => void,
  ): void {
    const { appId } = this.#options;
    const channel = { appId, key: channelKey(message.channel) };
    const isForPlayer = message.channel.kind.case === "player";
    cluster.resolve(channel, (targets) => {
      if (targets === "unreachable") return done(unroutable);
      const others = cluster.othersOf(targets);
      const mayBeOffline = isForPlayer && !this.#isOnline(channel.key);
      const outcome = new PublishOutcome(others.length + 1, mayBeOffline, done);
      const { volatile, origin, seq } = message;
      const conflation = (volatile && conflationOf(message)) || "";
      const unrouted = targets === "everybody";
      const live = {
        channel,
        body,
        volatile,
        conflation,
        expiresAtMs,
        unrouted,
        origin,
        seq,
        excludeSelf: excluded !== undefined,
      };
      if (others.length > 0) {
        // Only a report tells whether a player is there.
        cluster.delivery.live(others, live, message.wantReport || isForPlayer, (one) => outcome.add(one));
      }
      if (this.#options.local.has(channel.key) && this.#seqs.isRepeat(channel.key, origin, seq, volatile)) {
        return outcome.add({ outcome: "delivered", report: this.#options.local.audience(channel.key) });
      }
      const accepted = this.#deliverHere(message, body, expiresAtMs, excluded, (report) =>
        outcome.add({ outcome: "delivered", report }),
      );
      if (!accepted) outcome.add({ outcome: "failed" });
    });
  }

  #deliverHere(
    message: AcceptedMessage,
    body: Uint8Array,
    expiresAtMs: number,
    excluded: Exclusion | undefined,
    done: (report: LocalReport) => void,
  ): boolean {
    const { local, counters } = this.#options;
    const volatile = message.volatile ? { conflation: conflationOf(message) } : undefined;
    const frame = new OutboundFrame(messageFrameBytes(body), { isMessage: true, volatile, expiresAtMs });
    return local.deliver(channelKey(message.channel), frame, excluded, (report) => {
      counters.messagesDelivered += report.reached;
      done(report);
    });
  }

  /** @throws FanfareError if nothing was stored */
  async #store(
    message: AcceptedMessage,
    policy: ChannelPolicy,
    entry: Omit<StoredEntry, "position" | "previousTag">,
  ): Promise<RouteResult> {
    const { appId, messageLog } = this.#options;
    const key = channelKey(message.channel);
    const { seq, idempotencyKey = "", wantReport } = message;
    const appended = await messageLog.append({ channel: { appId, key }, policy, seq, idempotencyKey, ...entry });
    if (appended.outcome === "unknown") {
      const { position, reason } = appended;
      const unknown = { outcome: Outcome.UNKNOWN, code: ErrorCode.DEADLINE_EXCEEDED, message: reason } as const;
      return position === undefined ? unknown : { ...unknown, position };
    }
    const { position, previousTag, repeated, body } = appended;
    if (body === undefined) return { outcome: Outcome.STORED, position, repeated, report: nobody };
    const stored: StoredEntry = { ...entry, body, position, previousTag };
    const here = this.#serveHere(key, stored);
    const elsewhere = this.#spreadStored(key, stored, wantReport, appended.route);
    const report = wantReport ? sum(await here, await elsewhere) : await here;
    return { outcome: Outcome.STORED, position, repeated, report };
  }

  async #serveHere(key: ChannelKey, stored: StoredEntry): Promise<LocalReport> {
    const { local, counters } = this.#options;
    const report = await new Promise<LocalReport>((resolve) => {
      const accepted = local.deliverStored(key, stored, resolve);
      if (!accepted) resolve(nobody); // its subscriptions find the hole and read it
    });
    counters.messagesDelivered += report.reached;
    return report;
  }

  /**
   * Tells other nodes what was stored; settles with whom it reached there, at once if nobody wants to know.
   * @param route as of when it was stored. Who has subscribed since reads it from the log
   */
  #spreadStored(
    key: ChannelKey,
    stored: StoredEntry,
    wantReport: boolean,
    route: readonly bigint[] | undefined,
  ): Promise<LocalReport> {
    const { cluster, appId } = this.#options;
    if (cluster === undefined) return Promise.resolve(nobody);
    const { promise, resolve } = Promise.withResolvers<LocalReport>();
    const channel = { appId, key };
    const dispatch = (targets: Targets): void => {
      // Where the route cannot be read everybody is told, also past the budget: of what waits, links keep the newest of each channel.
      const isUnrouted = targets === "everybody" || targets === "unreachable";
      const others = cluster.othersOf(isUnrouted ? "everybody" : targets);
      const outcome = new PublishOutcome(wantReport ? others.length : 0, false, (result) =>
        resolve(result.report ?? nobody),
      );
      const each = wantReport ? (one: Parameters<PublishOutcome["add"]>[0]) => outcome.add(one) : undefined;
      cluster.delivery.stored(others, channel, stored, isUnrouted, each);
    };
    // What was stored before and whose route is being read goes first.
    if (route === undefined || cluster.resolver.isAsked(channel)) cluster.resolve(channel, dispatch);
    else dispatch(route);
    return promise;
  }
}

const unroutable: RouteResult = {
  outcome: Outcome.FAILED,
  code: ErrorCode.UNAVAILABLE,
  message: "the channel's route cannot be read now, and too many messages go to every node already; try again",
};

function sum(a: LocalReport, b: LocalReport): LocalReport {
  const counts = {
    reached: a.reached + b.reached,
    detached: a.detached + b.detached,
    excluded: a.excluded + b.excluded,
  };
  const nodesUnreached = (a.nodesUnreached ?? 0) + (b.nodesUnreached ?? 0);
  return nodesUnreached === 0 ? counts : { ...counts, nodesUnreached };
}

function failure(reason: unknown): RouteResult {
  const { code, message } = FanfareError.from(reason);
  return { outcome: Outcome.FAILED, code, message };
}

/** What two volatile messages have in common of which the newer replaces the older. */
function conflationOf({ origin, channel, conflationKey }: AcceptedMessage): string | undefined {
  return conflationKey === "" ? undefined : `${origin}|${channelKey(channel)}|${conflationKey}`;
}
