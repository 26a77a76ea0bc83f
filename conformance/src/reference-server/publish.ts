import { clone, create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Channel,
  ErrorCode,
  type MessageSchema,
  Outcome,
  type Payload,
  PayloadSchema,
  type Publish,
  type PublishResult,
  PublishResultSchema,
  type ReplySchema,
} from "@fanfare/proto/v1";
import { checkPublish, rulesOf } from "./access.ts";
import { type ChannelState, keyOf, required } from "./channel.ts";
import { Refusal } from "./refusal.ts";
import type { Session } from "./session.ts";
import { TokenBucket } from "./token-bucket.ts";

type Result = MessageInitShape<typeof ReplySchema>["result"];

/** Answers `publish`. @throws Refusal */
export function publish(session: Session, request: Publish): Result {
  const { breaks } = session.app;
  const isVolatile = request.volatile && !breaks.has("volatile-counted-with-others");
  const channel = required(request.channel);
  const counter = breaks.has("seq-by-channel") ? `${isVolatile} ${keyOf(channel)}` : String(isVolatile);
  const highest = session.highest.get(counter) ?? 0n;
  if (request.seq <= highest) return repeat(session, request, channel);
  session.highest.set(counter, request.seq);
  try {
    const result = admit(session, request, channel);
    session.remember(request.seq, { result });
    return { case: "publishResult", value: result };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    session.remember(request.seq, { refused: error.code });
    if (breaks.has("refused-and-done")) deliver(session, request, channel);
    throw error;
  }
}

/** A repeat is not delivered, and answered with what is known of its first. @throws Refusal */
function repeat(session: Session, request: Publish, channel: Channel): Result {
  const { breaks } = session.app;
  if (breaks.has("repeats-delivered")) deliver(session, request, channel);
  const answer = session.answers.get(request.seq);
  const repeated = !breaks.has("repeats-not-marked");
  if (answer === undefined) {
    const outcome = breaks.has("unknown-first-delivered") ? Outcome.DELIVERED : Outcome.UNKNOWN;
    return { case: "publishResult", value: { outcome, repeated } };
  }
  if ("result" in answer) return { case: "publishResult", value: { ...answer.result, repeated } };
  if (breaks.has("refusal-repeated-as-delivered")) {
    return { case: "publishResult", value: { outcome: Outcome.DELIVERED, repeated } };
  }
  throw new Refusal(answer.refused, "it was refused before");
}

/** @throws Refusal */
function admit(session: Session, request: Publish, channel: Channel): PublishResult {
  const { app } = session;
  if (request.conflationKey !== "" && !request.volatile && !app.breaks.has("conflation-key-of-any-message")) {
    throw new Refusal(ErrorCode.INVALID_ARGUMENT, "only volatile messages have a key", "publish.conflation_key");
  }
  checkPublish(session, channel);
  checkSize(session, channel, request.payload);
  checkRate(session, channel);
  return deliver(session, request, channel);
}

/** @throws Refusal TOO_LARGE */
function checkSize(session: Session, channel: Channel, payload: Payload | undefined): void {
  const { breaks, settings } = session.app;
  const data = payload?.data;
  const length =
    data?.case === undefined ? 0 : data.case === "binary" ? data.value.length : Buffer.byteLength(data.value);
  const own = channel.kind.case === "group" ? rulesOf(session, channel.kind.value, "").maxPayloadBytes : 0;
  const most = settings.limits.maxPayloadBytes;
  const isTooLong = length > most && !breaks.has("payload-limit-unchecked");
  const isTooLongHere = own > 0 && length > own && !breaks.has("namespace-payload-limit-unchecked");
  if (isTooLong || isTooLongHere) throw new Refusal(ErrorCode.TOO_LARGE, "the payload is too large", "publish.payload");
}

/** @throws Refusal RATE_LIMITED */
function checkRate(session: Session, channel: Channel): void {
  const { breaks } = session.app;
  if (breaks.has("rate-unchecked")) return;
  const waitMs = session.bucket.admit() || namespaceWaitMs(session, channel);
  if (waitMs === 0) return;
  const toldMs = breaks.has("no-retry-after") ? 0 : waitMs;
  throw new Refusal(ErrorCode.RATE_LIMITED, "too many publishes", "", toldMs);
}

function namespaceWaitMs(session: Session, channel: Channel): number {
  if (channel.kind.case !== "group") return 0;
  const { publishesPerSecond } = rulesOf(session, channel.kind.value, "");
  if (publishesPerSecond === 0) return 0;
  const key = keyOf(channel);
  const bucket = session.namespaceBuckets.get(key) ?? new TokenBucket(publishesPerSecond, publishesPerSecond);
  session.namespaceBuckets.set(key, bucket);
  return bucket.admit();
}

function deliver(session: Session, request: Publish, channel: Channel): PublishResult {
  const { app } = session;
  const { breaks } = app;
  const { kind } = channel;
  const targets = kind.case === "player" ? app.sessionsOf(kind.value) : [];
  if (kind.case === "player" && targets.length === 0) return answered(session, request, Outcome.OFFLINE);
  const state = app.channels.get(keyOf(channel));
  const body = bodyOf(session, request, channel);
  const counts = { reached: 0, detached: 0, excluded: 0 };
  for (const receiver of receiversOf(state)) {
    if (isExcluded(session, receiver, request)) {
      counts[breaks.has("report-counts-excluded") ? "reached" : "excluded"]++;
    } else if (receiver.connection === undefined) counts.detached++;
    else {
      if (!(breaks.has("self-never-served") && receiver === session)) receiver.connection.message(body);
      counts.reached++;
      if (breaks.has("subscribed-twice") && receiver.subscriptions.get(keyOf(channel))?.byClient) {
        receiver.connection.message({ ...body, seq: request.seq + 1n });
      }
    }
  }
  const isDetached = kind.case === "player" && counts.reached === 0 && breaks.has("detached-as-offline");
  return answered(session, request, isDetached ? Outcome.OFFLINE : Outcome.DELIVERED, counts);
}

function receiversOf({ subscribers }: ChannelState): Session[] {
  return [...subscribers.keys()];
}

function isExcluded(session: Session, receiver: Session, { excludeSelf }: Publish): boolean {
  const { breaks } = session.app;
  if (!excludeSelf || breaks.has("exclude-self-ignored")) return false;
  return breaks.has("exclude-self-excludes-the-player") ? receiver.player === session.player : receiver === session;
}

function bodyOf(session: Session, request: Publish, channel: Channel): MessageInitShape<typeof MessageSchema> {
  const { breaks } = session.app;
  const sentAtMs = BigInt(Date.now());
  const expiresAtMs = request.ttlMs === 0 || breaks.has("no-expiry") ? 0n : sentAtMs + BigInt(request.ttlMs);
  const payload = request.payload && clone(PayloadSchema, request.payload);
  if (payload?.data.case === "text" && breaks.has("payload-trimmed")) payload.data.value = payload.data.value.trimEnd();
  if (payload?.data.case === "json" && breaks.has("payload-trimmed"))
    payload.data.value = payload.data.value.replaceAll(" ", "");
  return {
    channel,
    origin: breaks.has("origin-changed") ? 1n : session.origin,
    seq: request.seq,
    from: breaks.has("from-empty") ? "" : session.player,
    sentAtMs: breaks.has("no-sent-at") ? 0n : sentAtMs,
    expiresAtMs,
    volatile: request.volatile && !breaks.has("volatile-lost"),
    conflationKey: request.conflationKey,
    ...(payload === undefined ? {} : { payload }),
  };
}

function answered(
  session: Session,
  { wantReport }: Publish,
  outcome: Outcome,
  report = { reached: 0, detached: 0, excluded: 0 },
): PublishResult {
  const { breaks } = session.app;
  const isAsked = wantReport && (session.features.has("report") || breaks.has("fields-without-feature"));
  const told = isAsked && !breaks.has("report-not-given");
  const said = outcome === Outcome.OFFLINE && breaks.has("offline-as-delivered") ? Outcome.DELIVERED : outcome;
  return create(PublishResultSchema, { outcome: said, ...(told ? { report } : {}) });
}
