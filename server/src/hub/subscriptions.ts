import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Channel,
  DeliveryClass,
  ErrorCode,
  GapReason,
  GapSchema,
  LeaveReason,
  type Payload,
  type Subscribed,
  SubscribedSchema,
  type SubscriptionCloseReason,
  type SubscriptionEventSchema,
} from "@fanfare/proto/v1";
import type { Clock } from "../clock.ts";
import type { ChannelPolicy } from "../config/channel-policy.ts";
import { FanfareError } from "../fanfare-error.ts";
import { toWirePosition } from "../log/log-position.ts";
import { maySubscribe } from "../namespace/access.ts";
import type { Counters } from "../observe/counters.ts";
import { broadcastKey, type ChannelKey, channelKey, channelOf, groupOf, playerKey } from "../wire/channel-key.ts";
import { encodeFrame } from "../wire/frame-encoding.ts";
import type { OutboundFrame } from "../wire/outbound-frame.ts";
import type { AppHub } from "./app-hub.ts";
import type { ChannelState } from "./channel-state.ts";
import { unnamedStart } from "./durable/durable-starts.ts";
import type { StartPlan } from "./durable/start-plan.ts";
import type { Session } from "./session.ts";
import { Subscription } from "./subscription.ts";

/** What a client asks for beside the channel; nothing of it where the feature `presence` is not in force. */
export interface SubscribeOptions {
  readonly presence: boolean;
  readonly presenceData: Payload | undefined;
}

/** After how long it is tried again to open what a session is owed, in milliseconds. */
const retryMs = 1_000;

/** Opens and closes the subscriptions of one app's sessions. */
export class Subscriptions {
  readonly #hub: AppHub;
  readonly #maxPerSession: number;
  readonly #counters: Counters;
  readonly #clock: Clock;

  constructor(hub: AppHub, maxPerSession: number, counters: Counters, clock: Clock) {
    this.#hub = hub;
    this.#maxPerSession = maxPerSession;
    this.#counters = counters;
    this.#clock = clock;
  }

  /**
   * Subscribes at a client's request; again, takes over the options of the later request. `told` is due when the client is.
   * @throws FanfareError UNKNOWN_NAMESPACE, PERMISSION_DENIED, LIMIT_EXCEEDED
   */
  open(session: Session, channel: Channel, options: SubscribeOptions): Subscription {
    this.#check(session, channel);
    const key = channelKey(channel);
    const known = session.subscriptions.get(key);
    const isOwed = this.#isOwed(session, key);
    if (known === undefined && !isOwed && session.clientSubscriptions >= this.#maxPerSession) {
      throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, `a session may open ${this.#maxPerSession} subscriptions`);
    }
    const subscription = known ?? this.#add(session, key, "client");
    subscription.byClient = true;
    subscription.byServer = isOwed;
    this.#applyPresence(subscription, options, known !== undefined);
    return subscription;
  }

  /** Subscribes because the session is owed the channel; undefined if its namespace does not exist. */
  openByServer(session: Session, key: ChannelKey): Subscription | undefined {
    if (this.#hub.namespaces.policyFor(channelOf(key)) === undefined) return undefined;
    const subscription = session.subscriptions.get(key) ?? this.#add(session, key, "server");
    subscription.byServer = true;
    return subscription;
  }

  /** As `openByServer`, and tells the client of a subscription it did not have, as soon as it can be served. */
  announceOpened(session: Session, key: ChannelKey): void {
    const isNew = !session.subscriptions.has(key);
    const subscription = this.openByServer(session, key);
    if (subscription === undefined || !isNew) return;
    subscription.pending = true;
    this.#announce(subscription);
  }

  /** What a `welcome` could not list of that which the server owes is opened when it can be served, and begins where the client asked for. */
  openWhenPossible(subscription: Subscription, wish: NonNullable<Subscription["wish"]>): void {
    subscription.pending = true;
    subscription.wish = wish;
    this.forgetClient(subscription);
    this.#announce(subscription);
  }

  #announce(subscription: Subscription): void {
    const { session, channel } = subscription;
    const announce = (): void => {
      if (!isOwedAWord(subscription)) return;
      if (this.#hub.starts.inForce(channel.channel, session.features)) this.#announceStart(subscription);
      else this.#tellOpened(subscription);
    };
    const routed = this.#hub.channels.routed(channel.key);
    if (routed === undefined) announce();
    else routed.then(announce, () => this.#announceLater(subscription));
  }

  /** It cannot be served now. Its client does not know of it, so that nobody but the server can try again (FF-SB-002). */
  #announceLater(subscription: Subscription): void {
    subscription.retry?.cancel();
    subscription.retry = this.#clock.setTimer(retryMs, () => {
      if (isOwedAWord(subscription)) this.#announce(subscription);
    });
  }

  #tellOpened(subscription: Subscription, plan?: StartPlan): void {
    tell(subscription, { case: "opened", value: this.describe(subscription, plan) });
    this.told(subscription);
  }

  /** Begins to serve a durable subscription at the player's cursor or the log's head, if nothing else was asked for, and tells the client so before. */
  #announceStart(subscription: Subscription): void {
    const { session, channel } = subscription;
    const { link, playerId, features } = session;
    if (link === undefined) return this.told(subscription); // a resume will begin it, and says so
    const { start, isResume } = subscription.wish ?? { start: unnamedStart, isResume: false };
    const wish = { channel: channel.channel, playerId, features, start, isResume };
    const isCurrent = () => subscription.active && session.link === link && subscription.reader === undefined;
    // In this order: what is stored before the route stands is read, what is stored after it is told.
    const routed = this.#hub.channels.routed(channel.key);
    const planned = routed === undefined ? this.#hub.starts.plan(wish) : routed.then(() => this.#hub.starts.plan(wish));
    planned.then(
      (plan) => {
        if (!isCurrent()) return;
        this.#tellOpened(subscription, plan);
        this.#hub.durable.start(subscription, plan);
      },
      () => {
        if (isCurrent() && subscription.pending) this.#announceLater(subscription);
      },
    );
  }

  /** Tells the subscriptions of a live channel that messages may be missing; those of a durable channel find out from their log. */
  tellMissed({ subscribers, channel }: ChannelState): void {
    const gap = create(GapSchema, { reason: GapReason.LINK });
    const value = { channel, event: { case: "gap" as const, value: gap } };
    let frame: OutboundFrame | undefined;
    // Of a copy: a queue that overflows can end its session, and another subscription takes the place of the one that is over.
    for (const { session, reader, pending } of [...subscribers]) {
      if (reader !== undefined || pending || session.link === undefined) continue;
      frame ??= encodeFrame({ kind: { case: "subscription", value } });
      session.link.enqueue(frame);
    }
  }

  /** As {@link tellMissed}, for all that one session has. */
  tellAllMissed(session: Session): void {
    const gap = create(GapSchema, { reason: GapReason.LINK });
    for (const subscription of session.subscriptions.values()) {
      if (subscription.reader === undefined && !subscription.pending) tell(subscription, { case: "gap", value: gap });
    }
  }

  /** A client's first `subscribe` of a channel is refused. What the server owes it all the same it tells of when it can. */
  refused(subscription: Subscription): void {
    if (!subscription.byServer) return this.close(subscription, LeaveReason.LEFT);
    this.forgetClient(subscription);
    this.#announceLater(subscription);
  }

  /** Leaves of a subscription what the server opened it for. */
  forgetClient(subscription: Subscription): void {
    subscription.byClient = false;
    this.#applyPresence(subscription, { presence: false, presenceData: undefined }, true);
  }

  /**
   * Ends a subscription at the client's request.
   * @throws FanfareError NOT_SUBSCRIBED
   */
  closeByClient(session: Session, channel: Channel): void {
    const subscription = this.require(session, channel);
    if (subscription.byServer) session.unsubscribed.add(subscription.channel.key);
    this.close(subscription, LeaveReason.LEFT);
  }

  /** Ends a subscription and tells the client why. */
  closeByServer(subscription: Subscription, reason: SubscriptionCloseReason, leave: LeaveReason): void {
    this.close(subscription, leave);
    tell(subscription, { case: "closed", value: { reason } });
  }

  /** Ends a subscription without a word to its client. */
  close(subscription: Subscription, leave: LeaveReason): void {
    const { session, channel } = subscription;
    if (!subscription.active) return;
    subscription.active = false;
    this.#hub.durable.stop(subscription);
    session.subscriptions.delete(channel.key);
    channel.presence?.leave(subscription, leave);
    channel.subscribers.remove(subscription);
    this.#hub.channels.release(channel);
    this.#counters.subscriptions--;
    // One that has departed has it elsewhere now, or is told of there.
    if (!session.departed) this.#emit("unsubscribed", subscription);
  }

  /** @throws FanfareError NOT_SUBSCRIBED */
  require(session: Session, channel: Channel): Subscription {
    const subscription = session.subscriptions.get(channelKey(channel));
    if (subscription !== undefined) return subscription;
    throw new FanfareError(ErrorCode.NOT_SUBSCRIBED, "this session is not subscribed to the channel");
  }

  /** What a client is told of a subscription that stands; of a durable one, where it begins. */
  describe(subscription: Subscription, plan?: StartPlan): Subscribed {
    const presence = subscription.watchesPresence;
    const byServer = this.#isOwed(subscription.session, subscription.channel.key);
    if (plan === undefined) return create(SubscribedSchema, { deliveryClass: DeliveryClass.LIVE, presence, byServer });
    const described = create(SubscribedSchema, {
      deliveryClass: DeliveryClass.DURABLE,
      position: toWirePosition(plan.position),
      head: toWirePosition(plan.head),
      recovered: plan.recovered,
      presence,
      byServer,
    });
    if (plan.cursor !== undefined) described.cursor = toWirePosition(plan.cursor);
    if (plan.gap !== undefined) described.gap = plan.gap;
    return described;
  }

  /** Whether a subscription may stand: it is owed to the session, or the rules let the session have it. */
  mayKeep({ session, channel }: Subscription): boolean {
    return this.#isOwed(session, channel.key) || this.isAllowed(session, channel.channel);
  }

  /** Whether the rules let this session subscribe the channel. */
  isAllowed(session: Session, channel: Channel): boolean {
    const policy = this.#hub.namespaces.policyFor(channel);
    return policy !== undefined && this.#isAllowedBy(policy, session, channel);
  }

  #check(session: Session, channel: Channel): void {
    const policy = this.#hub.namespaces.policyFor(channel);
    if (policy === undefined) throw unknownNamespace(channel);
    if (!this.#isAllowedBy(policy, session, channel)) {
      throw new FanfareError(ErrorCode.PERMISSION_DENIED, "this player may not subscribe the channel");
    }
  }

  #isAllowedBy(policy: ChannelPolicy, session: Session, channel: Channel): boolean {
    const key = channelKey(channel);
    if (key === broadcastKey) return true;
    const { capabilities } = session.credentials;
    return maySubscribe(policy, channel, { capabilities, isMember: this.#isOwed(session, key) });
  }

  /** Whether the server subscribes the session by itself: its own channel, broadcast, and groups of which the player is a member. */
  #isOwed(session: Session, key: ChannelKey): boolean {
    const group = groupOf(key);
    if (group !== undefined) return this.#hub.isMember(session, group);
    return key === broadcastKey || key === playerKey(session.playerId);
  }

  #add(session: Session, key: ChannelKey, opener: "client" | "server"): Subscription {
    const channel = this.#hub.channels.open(key);
    const subscription = new Subscription(session, channel, opener);
    session.unsubscribed.delete(key);
    session.subscriptions.set(key, subscription);
    channel.subscribers.add(subscription);
    this.#counters.subscriptions++;
    this.#emit("subscribed", subscription);
    if (opener === "server") channel.presence?.join(subscription);
    return subscription;
  }

  #applyPresence(subscription: Subscription, options: SubscribeOptions, known: boolean): void {
    const { presence } = subscription.channel;
    const { presenceData } = options;
    subscription.watchesPresence = options.presence && presence !== undefined;
    const changes = presenceData !== undefined || subscription.presenceData !== undefined;
    subscription.presenceData = presenceData;
    if (known && changes) presence?.update(subscription, presenceData);
    presence?.join(subscription);
    if (!subscription.watchesPresence) presence?.unwatch(subscription);
  }

  /** To be called once the client is told of a subscription: messages (FF-OR-005) and snapshots (FF-PR-002) come after that. */
  told(subscription: Subscription): void {
    subscription.pending = false;
    subscription.wish = undefined;
    if (subscription.active && subscription.watchesPresence) subscription.channel.presence?.watch(subscription);
  }

  #emit(type: "subscribed" | "unsubscribed", { session, channel }: Subscription): void {
    const group = groupOf(channel.key);
    if (group === undefined) return;
    this.#hub.events.emit({ type, sessionId: session.id, playerId: session.playerId, group });
  }
}

/** It stands, and its client has not been told of it. */
function isOwedAWord({ active, pending }: Subscription): boolean {
  return active && pending;
}

function tell(
  { session, channel }: Subscription,
  event: MessageInitShape<typeof SubscriptionEventSchema>["event"],
): void {
  session.link?.enqueue(encodeFrame({ kind: { case: "subscription", value: { channel: channel.channel, event } } }));
}

/** The error for a channel whose namespace is not configured. */
export function unknownNamespace(channel: Channel): FanfareError {
  const group = channel.kind.case === "group" ? channel.kind.value : "";
  const colon = group.indexOf(":");
  const name = colon === -1 ? "default" : group.slice(0, colon);
  return new FanfareError(ErrorCode.UNKNOWN_NAMESPACE, `there is no namespace "${name}" in this app`, {
    field: "channel.group",
  });
}
