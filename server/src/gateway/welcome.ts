import { create } from "@bufbuild/protobuf";
import {
  ErrorCode,
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
import { unnamedStart } from "../hub/durable/durable-starts.ts";
import type { StartPlan } from "../hub/durable/start-plan.ts";
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

/**
 * Opens what a `hello` names, and says what became of that and of all that the session has beside. A durable subscription of which the log has not said
 * where it begins is not among it, or is refused where the client names it.
 */
export function openSubscriptions(
  app: GatewayApp,
  session: Session,
  named: readonly Subscribe[],
  maxPresenceDataBytes: number,
  plans: StartPlans,
  gap: (key: ChannelKey) => Gap | undefined,
): SubscriptionResult[] {
  const results: SubscriptionResult[] = [];
  const names = new Set(named.map(({ channel }) => channel && channelKey(channel)));
  const opened = new Set<ChannelKey>();
  const planOf = ({ channel: { key, channel } }: Subscription): StartPlan | FanfareError | "none" => {
    if (!app.hub.starts.inForce(channel, session.features)) return "none";
    return plans.get(key) ?? new FanfareError(ErrorCode.UNAVAILABLE, "the channel has become durable meanwhile");
  };
  const stands = (subscription: Subscription, plan = planOf(subscription)): void => {
    const { key, channel } = subscription.channel;
    if (plan instanceof FanfareError) throw plan;
    opened.add(key);
    const value = app.hub.subscriptions.describe(subscription, plan === "none" ? undefined : plan);
    const missed = plan === "none" ? gap(key) : undefined;
    if (missed !== undefined) value.gap = missed;
    results.push(create(SubscriptionResultSchema, { channel, result: { case: "subscribed", value } }));
  };
  for (const [i, request] of named.entries()) {
    const key = request.channel && channelKey(request.channel);
    try {
      const plan = key && plans.get(key);
      if (plan instanceof FanfareError) throw plan;
      stands(openSubscription(app, session, request, maxPresenceDataBytes));
    } catch (reason) {
      const standing = key && !opened.has(key) ? session.subscriptions.get(key) : undefined;
      if (standing !== undefined && !standing.byServer) app.hub.subscriptions.close(standing, LeaveReason.LEFT);
      const value = FanfareError.from(reason).toProto();
      if (value.field !== "") value.field = `hello.subscriptions[${i}].${value.field.replace(/^subscribe\./, "")}`;
      results.push(create(SubscriptionResultSchema, { channel: request.channel, result: { case: "error", value } }));
    }
  }
  for (const subscription of session.subscriptions.values()) {
    const plan = planOf(subscription);
    if (!names.has(subscription.channel.key) && !(plan instanceof FanfareError)) stands(subscription, plan);
  }
  return results;
}

/** Tells of everything in the list of a `welcome`, which is queued, and opens the rest of what the server owes the session as soon as it can. */
function tellOfSubscriptions(
  { hub }: GatewayApp,
  session: Session,
  named: readonly Subscribe[],
  results: readonly SubscriptionResult[],
  isResume: boolean,
): void {
  const wishes = new Map<ChannelKey, Subscribe["start"]>();
  const listed = new Set<ChannelKey>();
  for (const [i, { channel, result }] of results.entries()) {
    if (channel === undefined) continue;
    const isAllowed = result.case !== "error" || result.value.code !== ErrorCode.INVALID_ARGUMENT;
    wishes.set(channelKey(channel), (isAllowed && named[i]?.start) || unnamedStart);
    if (result.case === "subscribed") listed.add(channelKey(channel));
  }
  for (const subscription of [...session.subscriptions.values()]) {
    const { key } = subscription.channel;
    if (listed.has(key)) hub.subscriptions.told(subscription);
    else hub.subscriptions.openWhenPossible(subscription, { start: wishes.get(key) ?? unnamedStart, isResume });
  }
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
  connection.opened(session, app, heartbeatIntervalMs);
  tellOfSubscriptions(app, session, hello.subscriptions, subscriptions, resumed);
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
