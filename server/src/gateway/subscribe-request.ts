import { ErrorCode, LeaveReason, type Subscribe, SubscriptionCloseReason } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";
import type { Session } from "../hub/session.ts";
import type { Subscription } from "../hub/subscription.ts";
import { channelKey } from "../wire/channel-key.ts";
import type { GatewayApp } from "./gateway-context.ts";
import { changeLater, checkPayload, type Requester, reply, required } from "./requester.ts";

/** Receives a channel from now on. @throws FanfareError */
export function subscribe(requester: Requester, id: number, request: Subscribe): void {
  const { connection, session, app } = requester;
  const channel = required(request.channel);
  const isDurable = app.hub.starts.inForce(channel, session.features);
  if (isDurable) app.hub.starts.check(channel, request.start);
  const isNew = !session.subscriptions.has(channelKey(channel));
  const subscription = openSubscription(app, session, request, connection.context.config.limits.maxPresenceDataBytes);
  if (isNew && isDurable) subscription.pending = true;
  if (isDurable) return startSubscription(requester, id, subscription, request.start);
  const routed = app.hub.channels.routed(subscription.channel.key);
  const answer = (): void => {
    reply(connection, id, { case: "subscribed", value: app.hub.subscriptions.describe(subscription) });
    app.hub.subscriptions.told(subscription);
  };
  if (routed === undefined) return answer();
  if (isNew) subscription.pending = true;
  const answered = changeLater(requester, id, async () => {
    await routedOrClosed(routed, requester, subscription);
    if (session.departed) return;
    if (!subscription.active) throw new FanfareError(ErrorCode.CANCELLED, "unsubscribed before it began");
    answer();
  });
  connection.gates.close(subscription.channel.key, answered);
}

/** A subscription whose channel's route cannot be written is none, unless its client was told of it before. */
async function routedOrClosed(routed: Promise<unknown>, { app }: Requester, subscription: Subscription): Promise<void> {
  try {
    await routed;
  } catch (reason) {
    if (subscription.pending) app.hub.subscriptions.refused(subscription);
    throw reason;
  }
}

/**
 * Answers a durable `subscribe` when the log has said where it begins. What was served before ends at once (FF-DU-023), and goes on where it was
 * if the request is refused.
 */
function startSubscription(
  requester: Requester,
  id: number,
  subscription: Subscription,
  start: Subscribe["start"],
): void {
  const { connection, session, app } = requester;
  const { starts, durable, subscriptions } = app.hub;
  const { channel } = subscription.channel;
  const former = subscription.reader;
  durable.stop(subscription);
  const turn = ++subscription.startTurn;
  const { playerId, features } = session;
  changeLater(requester, id, async () => {
    try {
      await app.hub.channels.routed(subscription.channel.key);
      const plan = await starts.plan({ channel, playerId, features, start, isResume: false });
      if (session.departed) return;
      if (!subscription.active) throw new FanfareError(ErrorCode.CANCELLED, "unsubscribed before it began");
      const isCurrent = subscription.startTurn === turn && session.link === connection;
      reply(connection, id, { case: "subscribed", value: subscriptions.describe(subscription, plan) });
      subscriptions.told(subscription);
      if (isCurrent) durable.start(subscription, plan);
    } catch (reason) {
      if (subscription.active && !session.departed && subscription.startTurn === turn) {
        if (subscription.pending) subscriptions.refused(subscription);
        else if (session.link === connection && former !== undefined) durable.goOn(subscription, former);
        else if (session.link === connection)
          subscriptions.closeByServer(subscription, SubscriptionCloseReason.FAILED, LeaveReason.KICKED);
      }
      throw reason;
    }
  });
}

/**
 * Opens what a `subscribe`, or an entry of a `hello`, asks for. Its presence counts only where the feature is in force (FF-FR-017).
 * @throws FanfareError
 */
export function openSubscription(
  { hub }: GatewayApp,
  session: Session,
  request: Subscribe,
  maxPresenceDataBytes: number,
): Subscription {
  const inForce = session.features.has("presence");
  const presenceData = inForce ? request.presenceData : undefined;
  if (presenceData !== undefined) checkPayload(presenceData, maxPresenceDataBytes);
  return hub.subscriptions.open(session, required(request.channel), {
    presence: inForce && request.presence,
    presenceData,
  });
}
