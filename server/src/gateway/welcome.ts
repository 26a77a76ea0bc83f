import { create } from "@bufbuild/protobuf";
import {
  type Gap,
  GapReason,
  GapSchema,
  type Hello,
  LeaveReason,
  type Subscribe,
  type SubscriptionResult,
  SubscriptionResultSchema,
} from "@fanfare/proto/v1";
import type { ResolvedConfig } from "../config/resolved-config.ts";
import { FanfareError } from "../fanfare-error.ts";
import type { Session } from "../hub/session.ts";
import type { Subscription } from "../hub/subscription.ts";
import { type ChannelKey, channelKey } from "../wire/channel-key.ts";
import type { Connection } from "./connection.ts";
import type { StartPlans } from "./durable-start.ts";
import type { GatewayApp } from "./gateway-context.ts";
import { openSubscription } from "./subscribe-request.ts";

/** The revision of the protocol that this server speaks. */
export const revision = 1;

/** Of a live subscription whose session was without a connection. */
export const detachedGap: Gap = create(GapSchema, { reason: GapReason.DETACHED });

/** Opens what a `hello` names, and says what became of that and of all that the session has beside. */
export function openSubscriptions(
  app: GatewayApp,
  session: Session,
  named: readonly Subscribe[],
  maxPresenceDataBytes: number,
  plans: StartPlans,
  gap: (key: ChannelKey) => Gap | undefined,
): SubscriptionResult[] {
  const results: SubscriptionResult[] = [];
  const told = new Set<ChannelKey>();
  const stands = (subscription: Subscription): void => {
    const { key, channel } = subscription.channel;
    told.add(key);
    const plan = plans.get(key);
    const isPlanned = plan !== undefined && !(plan instanceof FanfareError);
    const value = app.hub.subscriptions.describe(subscription, isPlanned ? plan : undefined);
    const missed = isPlanned ? undefined : gap(key);
    if (missed !== undefined) value.gap = missed;
    results.push(create(SubscriptionResultSchema, { channel, result: { case: "subscribed", value } }));
  };
  for (const [i, request] of named.entries()) {
    const plan = request.channel && plans.get(channelKey(request.channel));
    try {
      if (plan instanceof FanfareError) throw plan;
      stands(openSubscription(app, session, request, maxPresenceDataBytes));
    } catch (reason) {
      const { channel } = request;
      const standing = channel && session.subscriptions.get(channelKey(channel));
      if (standing !== undefined && !standing.byServer) app.hub.subscriptions.close(standing, LeaveReason.LEFT);
      const value = FanfareError.from(reason).toProto();
      if (value.field !== "") value.field = `hello.subscriptions[${i}].${value.field.replace(/^subscribe\./, "")}`;
      results.push(create(SubscriptionResultSchema, { channel: request.channel, result: { case: "error", value } }));
    }
  }
  for (const subscription of session.subscriptions.values())
    if (!told.has(subscription.channel.key)) stands(subscription);
  return results;
}

/** Answers a `hello`: from now on the session is served by this connection. */
export function welcome(
  connection: Connection,
  hello: Hello,
  app: GatewayApp,
  session: Session,
  resumed: boolean,
  subscriptions: SubscriptionResult[],
): void {
  const { config, clock, resumeSecrets } = connection.context;
  const heartbeatIntervalMs = negotiateHeartbeat(hello.heartbeatIntervalMs, config);
  const canResume = session.features.has("resume");
  connection.send({
    kind: {
      case: "welcome",
      value: {
        sessionId: session.id,
        origin: session.origin,
        resumeSecret: canResume ? resumeSecrets.sign({ ...session, sessionId: session.id }) : "",
        attempt: session.attempt,
        playerId: session.playerId,
        appId: session.appId,
        nodeId: config.nodeId,
        serverTimeUs: BigInt(Math.round(clock.nowMs() * 1000)),
        heartbeatIntervalMs,
        heartbeatTimeoutMs: config.timing.heartbeatTimeoutMs,
        limits: limitsOf(config),
        features: [...session.features],
        tokenExpiresAtMs: BigInt(session.credentials.expiresAtMs),
        subscriptions,
        resumed,
        resumeWindowMs: canResume ? config.timing.resumeWindowMs : 0,
        revision,
        reconnectWindowMs: config.timing.reconnectWindowMs,
      },
    },
  });
  app.hub.attach(session, connection);
  for (const subscription of session.subscriptions.values()) app.hub.subscriptions.told(subscription);
  connection.opened(session, app, heartbeatIntervalMs);
}

function negotiateHeartbeat(wishedMs: number, { timing }: ResolvedConfig): number {
  if (wishedMs === 0) return timing.heartbeatIntervalMs;
  return Math.min(Math.max(wishedMs, timing.heartbeatIntervalMinMs), timing.heartbeatIntervalMaxMs);
}

function limitsOf({ limits }: ResolvedConfig) {
  const { maxFrameBytes, maxPayloadBytes, maxSubscriptions, publishesPerSecond, publishBurst } = limits;
  const { maxPendingRequests, framesPerSecond, bytesPerSecond, maxPresenceDataBytes } = limits;
  return {
    maxFrameBytes,
    maxPayloadBytes,
    maxSubscriptions,
    publishesPerSecond,
    publishBurst,
    maxPendingRequests,
    framesPerSecond,
    bytesPerSecond,
    maxPresenceDataBytes,
  };
}
