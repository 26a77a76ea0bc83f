import { clone, create, type MessageInitShape } from "@bufbuild/protobuf";
import { PresenceMode } from "@fanfare/proto/config/v1";
import {
  type Channel,
  ChannelSchema,
  DeliveryClass,
  ErrorCode,
  GapReason,
  GapSchema,
  type Hello,
  type Subscribe,
  SubscribedSchema,
  SubscriptionCloseReason,
  type SubscriptionResultSchema,
} from "@fanfare/proto/v1";
import { checkSubscribe } from "./access.ts";
import { keyOf, required } from "./channel.ts";
import { leavePresence, presenceMode, showPresence, snapshot } from "./presence.ts";
import { Refusal } from "./refusal.ts";
import type { Session } from "./session.ts";
import type { Claims } from "./verify-token.ts";

type Subscribed = MessageInitShape<typeof SubscribedSchema>;
type SubscriptionResult = MessageInitShape<typeof SubscriptionResultSchema>;

/** Opens or changes a subscription. @throws Refusal */
export function subscribe(session: Session, request: Subscribe, field: string): Subscribed {
  const channel = required(request.channel);
  const { app } = session;
  checkSubscribe(session, channel, `${field}.channel`);
  checkData(session, request, field);
  const key = keyOf(channel);
  const known = session.subscriptions.get(key);
  if (known === undefined || !known.byClient) checkCount(session, channel, field);
  const presence =
    session.features.has("presence") && request.presence
      ? presenceMode(app, channel) !== PresenceMode.OFF || app.breaks.has("presence-always-in-force")
      : false;
  const subscription = known ?? { channel: clone(ChannelSchema, channel), byClient: true, presence, data: undefined };
  Object.assign(subscription, { byClient: true, presence });
  if (session.features.has("presence")) subscription.data = request.presenceData;
  session.subscriptions.set(key, subscription);
  session.declined.delete(key);
  app.channels.open(key).subscribers.set(session, subscription);
  showPresence(app, session, channel, known === undefined ? "joined" : "updated");
  return describe(session, channel, presence);
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
  close(session, channel);
}

/** Ends a subscription. */
function close(session: Session, channel: Channel): void {
  const key = keyOf(channel);
  session.subscriptions.delete(key);
  session.app.channels.close(key, session);
  leavePresence(session.app, session, channel, "left");
}

/** Opens what a hello asks for and what the server opens by itself; the results in the order that welcome has. */
export function openSubscriptions(
  session: Session,
  hello: Hello,
  hasGap: (key: string) => boolean,
): SubscriptionResult[] {
  const { breaks } = session.app;
  const named: SubscriptionResult[] = [];
  const told = new Set<string>();
  for (const [i, request] of hello.subscriptions.entries()) {
    const channel = required(request.channel);
    try {
      const value = subscribe(session, request, `hello.subscriptions[${i}]`);
      told.add(keyOf(channel));
      named.push(result(channel, value, hasGap));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (breaks.has("refused-subscriptions-left-out")) continue;
      named.push({ channel, result: { case: "error", value: error.value } });
    }
  }
  const own = ownChannels(session).filter((channel) => !told.has(keyOf(channel)));
  const opened = own.map((channel) => result(channel, openOwn(session, channel), hasGap));
  return breaks.has("server-subscriptions-first") ? [...opened, ...named] : [...named, ...opened];
}

/** Sends what welcome has announced: snapshots of presence. */
export function sendSnapshots(session: Session): void {
  for (const { channel, presence } of session.subscriptions.values()) if (presence) snapshot(session, channel);
}

/** On a resume, what the client had opened and does not name is closed. */
export function dropUnnamed(session: Session, hello: Hello): void {
  if (session.app.breaks.has("unnamed-subscriptions-kept")) return;
  const named = new Set(hello.subscriptions.map(({ channel }) => keyOf(required(channel))));
  for (const [key, { channel }] of [...session.subscriptions]) {
    if (!named.has(key) && !session.isServers(channel)) close(session, channel);
  }
}

/** Applies what a new token says about groups and capabilities, and tells what that opens and closes. */
export function applyClaims(session: Session, claims: Claims): void {
  const { breaks } = session.app;
  if (breaks.has("refresh-without-effect")) return;
  const before = new Set(session.claims.groups);
  session.claims = breaks.has("permission-of-the-hello") ? { ...claims, caps: session.claims.caps } : claims;
  for (const subscription of [...session.subscriptions.values()]) {
    const { channel } = subscription;
    const wasMember = channel.kind.case === "group" && before.has(channel.kind.value) && !session.isServers(channel);
    if (wasMember && !subscription.byClient) tellClosed(session, channel, SubscriptionCloseReason.LEFT);
    else if (!isAllowed(session, channel)) tellClosed(session, channel, SubscriptionCloseReason.PERMISSION);
  }
  for (const channel of ownChannels(session)) {
    if (session.subscriptions.has(keyOf(channel))) continue;
    const value = openOwn(session, channel);
    session.connection?.send({ case: "subscription", value: { channel, event: { case: "opened", value } } });
  }
}

function isAllowed(session: Session, channel: Channel): boolean {
  try {
    checkSubscribe(session, channel, "");
    return true;
  } catch {
    return false;
  }
}

function tellClosed(session: Session, channel: Channel, reason: SubscriptionCloseReason): void {
  close(session, channel);
  session.connection?.send({ case: "subscription", value: { channel, event: { case: "closed", value: { reason } } } });
}

function ownChannels(session: Session): Channel[] {
  const { breaks } = session.app;
  const kinds: Channel["kind"][] = [
    { case: "player", value: session.player },
    { case: "broadcast", value: true },
    ...(breaks.has("token-groups-not-opened") ? [] : session.claims.groups).map((value) => ({
      case: "group" as const,
      value,
    })),
  ];
  return kinds
    .map((kind) => create(ChannelSchema, { kind }))
    .filter((channel) => breaks.has("unsubscribed-reopened") || !session.declined.has(keyOf(channel)));
}

function openOwn(session: Session, channel: Channel): Subscribed {
  const key = keyOf(channel);
  const known = session.subscriptions.get(key);
  const subscription = known ?? { channel, byClient: false, presence: false, data: undefined };
  session.subscriptions.set(key, subscription);
  session.app.channels.open(key).subscribers.set(session, subscription);
  if (known === undefined) showPresence(session.app, session, channel, "joined");
  return describe(session, channel, subscription.presence);
}

function describe(session: Session, channel: Channel, presence: boolean): Subscribed {
  const byServer = session.isServers(channel) && !session.app.breaks.has("by-server-unset");
  return { deliveryClass: DeliveryClass.LIVE, byServer, presence };
}

function result(channel: Channel, told: Subscribed, hasGap: (key: string) => boolean): SubscriptionResult {
  const value = create(SubscribedSchema, told);
  if (hasGap(keyOf(channel))) value.gap = create(GapSchema, { reason: GapReason.DETACHED });
  return { channel, result: { case: "subscribed", value } };
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
  const data = presenceData?.data;
  if (data?.case === undefined || !session.features.has("presence")) return;
  const length = data.case === "binary" ? data.value.length : Buffer.byteLength(data.value);
  if (length <= session.app.settings.limits.maxPayloadBytes) return;
  throw new Refusal(ErrorCode.TOO_LARGE, "the presence data is too large", `${field}.presence_data`);
}
