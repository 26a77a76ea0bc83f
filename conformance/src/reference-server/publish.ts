import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Channel, ErrorCode, Outcome, type Payload, type Publish, type ReplySchema } from "@fanfare/proto/v1";
import { checkPublish, rulesOf } from "./access.ts";
import { keyOf, required } from "./channel.ts";
import { deliver, type Publication } from "./deliver.ts";
import { payloadBytes } from "./payload-bytes.ts";
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
    admit(session, request, channel);
    const result = deliver(session.app, publicationOf(session, request, channel));
    session.remember(request.seq, { result });
    return { case: "publishResult", value: result };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    session.remember(request.seq, { refused: error.code });
    if (breaks.has("refused-and-done")) deliver(session.app, publicationOf(session, request, channel));
    throw error;
  }
}

function publicationOf(session: Session, request: Publish, channel: Channel): Publication {
  const isAsked = session.features.has("report") || session.app.breaks.has("fields-without-feature");
  const { origin, player } = session;
  return { ...request, wantReport: request.wantReport && isAsked, channel, origin, from: player, session };
}

/** A repeat is not delivered, and answered with what is known of its first. @throws Refusal */
function repeat(session: Session, request: Publish, channel: Channel): Result {
  const { app } = session;
  const { breaks } = app;
  const isAgain = breaks.has("repeats-delivered") || (app.isDurable(channel) && breaks.has("repeats-stored-twice"));
  const again = isAgain ? deliver(app, publicationOf(session, request, channel)) : undefined;
  if (again !== undefined && app.isDurable(channel)) return { case: "publishResult", value: again };
  const answer = session.answers.get(request.seq);
  const repeated = !breaks.has("repeats-not-marked");
  const stored = app.isDurable(channel) ? storedBefore(session, request, channel) : undefined;
  if (stored !== undefined) return { case: "publishResult", value: { ...stored, repeated } };
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

/** What the log knows of a repeat's first, which is more than the session remembers. */
function storedBefore({ app, origin }: Session, { seq }: Publish, channel: Channel) {
  if (app.breaks.has("repeats-known-to-sessions-alone")) return undefined;
  const position = app.durable(channel).log.find(origin, seq);
  return position && { outcome: Outcome.STORED, position };
}

/** @throws Refusal */
function admit(session: Session, request: Publish, channel: Channel): void {
  const { app } = session;
  if (request.conflationKey !== "" && !request.volatile && !app.breaks.has("conflation-key-of-any-message")) {
    throw new Refusal(ErrorCode.INVALID_ARGUMENT, "only volatile messages have a key", "publish.conflation_key");
  }
  checkPublish(session, channel);
  if (request.volatile && app.isDurable(channel) && !app.breaks.has("volatile-stored")) {
    throw new Refusal(ErrorCode.INVALID_ARGUMENT, "a volatile message is never stored", "publish.volatile");
  }
  checkSize(session, channel, request.payload);
  checkRate(session, channel);
}

/** @throws Refusal TOO_LARGE */
function checkSize(session: Session, channel: Channel, payload: Payload | undefined): void {
  const { breaks, settings } = session.app;
  const length = payloadBytes(payload);
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
