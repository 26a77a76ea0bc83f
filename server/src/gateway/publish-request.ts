import { type Channel, DeliveryClass, ErrorCode, Outcome, type Publish } from "@fanfare/proto/v1";
import type { ChannelPolicy } from "../config/channel-policy.ts";
import { FanfareError } from "../fanfare-error.ts";
import type { RememberedResult } from "../hub/publish-results.ts";
import type { Session } from "../hub/session.ts";
import { unknownNamespace } from "../hub/subscriptions.ts";
import { TokenBucket } from "../limits/token-bucket.ts";
import { mayPublish } from "../namespace/access.ts";
import { publishResultOf } from "../router/publish-result.ts";
import type { RouteResult } from "../router/router.ts";
import { type ChannelKey, channelKey, groupOf } from "../wire/channel-key.ts";
import { encodePublishReply } from "../wire/frame-encoding.ts";
import { checkPayload, type Requester, reply } from "./requester.ts";

/** Buckets of a session for namespaces with a limit of their own; at the bound the oldest is forgotten. */
const maxChannelBuckets = 256;

/**
 * Handles a client's publish: recognises a repeat, checks that it is allowed, and sends it on.
 * @throws FanfareError when it is not admitted; its repeat is answered in the same way
 */
export function publish(requester: Requester, id: number, request: Publish): void {
  const { connection, session, app } = requester;
  const { counters } = connection.context;
  const seq = Number(request.seq);
  const isRemembered = id !== 0 && !request.volatile; // what a client may repeat
  const channel = request.channel as Channel; // the validator has seen to it
  const isDurable = app.hub.namespaces.policyFor(channel)?.deliveryClass === DeliveryClass.DURABLE;
  const isRepeat = session.results.isRepeat(seq, request.volatile);
  // It goes to its receivers again, which drop what they have. It may have been handled otherwise where it was accepted, so that a failure here says nothing.
  const isLeftBehind = isRepeat && isRemembered && !isDurable && session.results.isLeftBehind(seq);
  if (isRepeat) {
    counters.messagesRepeated++;
    if (isRemembered && !isDurable && answersWithFirst(requester, id, seq)) return;
    const first = session.results.resultOf(seq);
    // Of what was not refused the log knows more: whether, and where, it is stored.
    if (!isLeftBehind && (!isDurable || first.outcome === Outcome.FAILED)) return answerRepeat(requester, id, first);
  } else {
    session.results.see(seq, request.volatile);
    try {
      admit(requester, channel, request);
    } catch (reason) {
      const error = FanfareError.from(reason);
      if (isRemembered) session.results.remember(seq, Outcome.FAILED, error.code);
      counters.publishesByOutcome[Outcome.FAILED]!++;
      throw error;
    }
  }
  const { volatile, conflationKey, payload, ttlMs } = request;
  const message = {
    channel,
    origin: session.origin,
    seq,
    payload,
    from: session.playerId,
    volatile,
    conflationKey,
    ttlMs,
    wantReport: request.wantReport && session.features.has("report"),
  };
  const excluded = request.excludeSelf ? session : undefined;
  if (volatile) counters.messagesInVolatile++;
  else if (isDurable) counters.messagesInDurable++;
  else counters.messagesInLive++;
  let answered = false;
  if (isRemembered) session.results.begin(seq);
  app.router.publish(message, excluded, (routed) => {
    const isUncertain = isLeftBehind && routed.outcome === Outcome.FAILED;
    const result = isUncertain ? { ...routed, outcome: Outcome.UNKNOWN as const } : routed;
    answered = true;
    connection.pendingRequests.delete(id);
    const code = "code" in result ? result.code : ErrorCode.UNSPECIFIED;
    if (isRemembered) session.results.remember(seq, result.outcome, code);
    counters.publishesByOutcome[result.outcome]!++;
    if (isLeftBehind) answerRepeat(requester, id, { outcome: result.outcome, code });
    else answer(requester, id, result, request.wantReport);
  });
  if (!answered && id !== 0) connection.pendingRequests.add(id);
}

/** @throws FanfareError */
function admit({ connection, session, app }: Requester, channel: Channel, request: Publish): void {
  const policy = app.hub.namespaces.policyFor(channel);
  if (policy === undefined) throw unknownNamespace(channel);
  if (request.payload !== undefined) checkPayload(request.payload, policy.maxPayloadBytes);
  if (request.volatile && policy.deliveryClass === DeliveryClass.DURABLE) {
    const message = "a volatile message is never stored, and this channel is durable";
    throw new FanfareError(ErrorCode.INVALID_ARGUMENT, message, { field: "publish.volatile" });
  }
  if (request.conflationKey !== "" && !request.volatile) {
    const message = "only volatile messages are conflated";
    throw new FanfareError(ErrorCode.INVALID_ARGUMENT, message, { field: "publish.conflation_key" });
  }
  const key = channelKey(channel);
  const group = groupOf(key);
  const isMember = group === undefined ? key === `p:${session.playerId}` : app.hub.isMember(session, group);
  const isSubscribed = session.subscriptions.has(key);
  if (!mayPublish(policy, channel, { capabilities: session.credentials.capabilities, isMember, isSubscribed })) {
    throw new FanfareError(ErrorCode.PERMISSION_DENIED, "this player may not publish to the channel");
  }
  takeToken(session, key, policy, connection.context.clock.monotonicMs());
}

/** @throws FanfareError RATE_LIMITED */
function takeToken(session: Session, key: ChannelKey, policy: ChannelPolicy, nowMs: number): void {
  const own = channelBucket(session, key, policy, nowMs);
  const waitMs = Math.max(session.publishBucket.waitMs(nowMs), own?.waitMs(nowMs) ?? 0);
  if (waitMs > 0)
    throw new FanfareError(ErrorCode.RATE_LIMITED, "too many publishes a second", { retryAfterMs: waitMs });
  session.publishBucket.take(nowMs);
  own?.take(nowMs);
}

function channelBucket(
  session: Session,
  key: ChannelKey,
  { publishesPerSecond }: ChannelPolicy,
  nowMs: number,
): TokenBucket | undefined {
  if (publishesPerSecond === 0) return undefined;
  session.channelBuckets ??= new Map();
  const buckets = session.channelBuckets;
  let bucket = buckets.get(key);
  // The namespace may have been put again with another limit.
  if (bucket?.ratePerSecond !== publishesPerSecond) {
    buckets.delete(key);
    bucket = new TokenBucket(publishesPerSecond, publishesPerSecond, nowMs);
    const [oldest] = buckets.keys();
    if (buckets.size >= maxChannelBuckets && oldest !== undefined) buckets.delete(oldest);
    buckets.set(key, bucket);
  }
  return bucket;
}

/** Answers a repeat when its first is, if that is under way here. @returns false: it is not */
function answersWithFirst(requester: Requester, id: number, seq: number): boolean {
  const { pendingRequests } = requester.connection;
  const isUnderWay = requester.session.results.whenKnown(seq, (first) => {
    pendingRequests.delete(id);
    answerRepeat(requester, id, first);
  });
  if (isUnderWay) pendingRequests.add(id);
  return isUnderWay;
}

function answerRepeat({ connection }: Requester, id: number, { outcome, code }: RememberedResult): void {
  const isForgotten = code === ErrorCode.UNSPECIFIED;
  const unknown = isForgotten ? "published too long ago to know" : "it is not known what became of it";
  const message = outcome === Outcome.FAILED ? "refused when it was published first" : unknown;
  const error = outcome === Outcome.FAILED || outcome === Outcome.UNKNOWN ? { error: { code, message } } : {};
  reply(connection, id, { case: "publishResult", value: { outcome, repeated: true, ...error } });
}

function answer({ connection, session }: Requester, id: number, result: RouteResult, wantReport: boolean): void {
  if (id === 0) return;
  const withReport = wantReport && session.features.has("report");
  if (result.outcome === Outcome.DELIVERED && !withReport) {
    connection.enqueue(encodePublishReply(id, result.outcome));
  } else reply(connection, id, { case: "publishResult", value: publishResultOf(result, withReport) });
}
