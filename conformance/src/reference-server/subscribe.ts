import { clone } from "@bufbuild/protobuf";
import { PresenceMode } from "@fanfare/proto/config/v1";
import { type Channel, ChannelSchema, DeliveryClass, ErrorCode, type Subscribe } from "@fanfare/proto/v1";
import { checkSubscribe } from "./access.ts";
import type { LeaveCause } from "./app.ts";
import { keyOf, required, type Subscription } from "./channel.ts";
import { startReader } from "./durable/reader.ts";
import { type Plan, planStart, type Start } from "./durable/start.ts";
import { payloadBytes } from "./payload-bytes.ts";
import { leavePresence, presenceMode, showPresence } from "./presence.ts";
import { Refusal } from "./refusal.ts";
import type { Session } from "./session.ts";

/** What a client is told of a subscription. */
export interface Told extends Partial<Plan> {
  readonly deliveryClass: DeliveryClass;
  readonly byServer: boolean;
  readonly presence: boolean;
}

/** Opens or changes a subscription. @throws Refusal */
export function subscribe(session: Session, request: Subscribe, field: string, isResume = false): Told {
  const channel = required(request.channel);
  const { app } = session;
  checkSubscribe(session, channel, `${field}.channel`);
  checkData(session, request, field);
  const key = keyOf(channel);
  const known = session.subscriptions.get(key);
  if (known === undefined || !known.byClient) checkCount(session, channel, field);
  const plan = durablePlan(session, channel, request.start, isResume, field);
  const presence =
    session.features.has("presence") && request.presence
      ? presenceMode(app, channel) !== PresenceMode.OFF || app.breaks.has("presence-always-in-force")
      : false;
  const subscription = known ?? newSubscription(clone(ChannelSchema, channel));
  Object.assign(subscription, { byClient: true, presence });
  if (session.features.has("presence")) subscription.data = request.presenceData;
  session.subscriptions.set(key, subscription);
  session.declined.delete(key);
  if (app.breaks.has("first-messages-lost")) session.losesNext = true;
  app.channels.open(key).subscribers.set(session, subscription);
  showPresence(app, session, channel, known === undefined ? "joined" : "updated");
  if (plan !== undefined) startReader(session, subscription, plan);
  return { ...describe(session, channel, presence), ...plan };
}

/** Opens, or describes again, a subscription of the server's own. */
export function openOwn(session: Session, channel: Channel, isResume: boolean): Told {
  const key = keyOf(channel);
  const known = session.subscriptions.get(key);
  const subscription = known ?? newSubscription(channel);
  session.subscriptions.set(key, subscription);
  session.app.channels.open(key).subscribers.set(session, subscription);
  if (known === undefined) showPresence(session.app, session, channel, "joined");
  const plan = durablePlan(session, channel, { case: undefined }, isResume, "");
  if (plan !== undefined) startReader(session, subscription, plan);
  return { ...describe(session, channel, subscription.presence), ...plan };
}

/** @throws Refusal NOT_SUBSCRIBED */
export function unsubscribe(session: Session, channel: Channel): void {
  const key = keyOf(channel);
  const { breaks } = session.app;
  if (!session.subscriptions.has(key)) {
    if (breaks.has("unsubscribe-anything")) return;
    throw new Refusal(ErrorCode.NOT_SUBSCRIBED, "the channel is not subscribed", "unsubscribe.channel");
  }
  if (session.isServers(channel)) session.declined.add(key);
  if (breaks.has("messages-after-unsubscribe")) return;
  endSubscription(session, channel, "left");
}

/** Ends a subscription without a word to its client. */
export function endSubscription(session: Session, channel: Channel, cause: LeaveCause): void {
  const key = keyOf(channel);
  session.subscriptions.get(key)?.reader?.stop();
  session.subscriptions.delete(key);
  session.app.channels.close(key, session);
  leavePresence(session.app, session, channel, cause);
}

function newSubscription(channel: Channel): Subscription {
  return { channel, byClient: false, presence: false, data: undefined, reader: undefined };
}

/** Where a durable subscription begins; undefined where the channel is served as a live one. @throws Refusal */
function durablePlan(session: Session, channel: Channel, start: Start, isResume: boolean, field: string) {
  if (!session.app.isDurable(channel)) return undefined;
  if (!session.features.has("durable") && !session.app.breaks.has("durable-for-everybody")) return undefined;
  return { ...planStart(session, channel, start, isResume, field), deliveryClass: DeliveryClass.DURABLE };
}

function describe(session: Session, channel: Channel, presence: boolean): Told {
  const byServer = session.isServers(channel) && !session.app.breaks.has("by-server-unset");
  return { deliveryClass: DeliveryClass.LIVE, byServer, presence };
}

/** @throws Refusal LIMIT_EXCEEDED */
function checkCount(session: Session, channel: Channel, field: string): void {
  const { app } = session;
  if (session.isServers(channel) || app.breaks.has("subscriptions-unlimited")) return;
  const countsOwn = app.breaks.has("server-subscriptions-counted");
  const own = [...session.subscriptions.values()].filter((one) => countsOwn || !session.isServers(one.channel));
  if (own.length < app.settings.limits.maxSubscriptions) return;
  throw new Refusal(ErrorCode.LIMIT_EXCEEDED, "there are as many subscriptions as may be", field);
}

/** @throws Refusal TOO_LARGE */
function checkData(session: Session, { presenceData }: Subscribe, field: string): void {
  if (session.features.has("presence")) checkPresenceData(session, presenceData, `${field}.presence_data`);
}

/** @throws Refusal TOO_LARGE */
export function checkPresenceData(session: Session, data: Subscribe["presenceData"], field: string): void {
  const { breaks, settings } = session.app;
  if (payloadBytes(data) <= settings.limits.maxPresenceDataBytes || breaks.has("presence-data-unbounded")) return;
  throw new Refusal(ErrorCode.TOO_LARGE, "the presence data is too large", field);
}
