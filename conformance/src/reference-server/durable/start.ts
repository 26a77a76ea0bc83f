import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Channel, ErrorCode, GapReason, type GapSchema, type Subscribe } from "@fanfare/proto/v1";
import { keyOf } from "../channel.ts";
import { Refusal } from "../refusal.ts";
import type { Session } from "../session.ts";
import type { ChannelLog, Place, Verdict } from "./channel-log.ts";

/** Where a client wants to begin. */
export type Start = Subscribe["start"];
type Gap = MessageInitShape<typeof GapSchema>;

/** Where a subscription begins, and what its client is told of it. */
export interface Plan {
  readonly position: Place;
  readonly head: Place;
  readonly cursor?: Place;
  readonly recovered: boolean;
  readonly gap?: Gap;
}

const unset: Start = { case: undefined };
const atTheHead: Start = { case: "head", value: true };
const reasons = { trimmed: GapReason.TRIMMED, epoch: GapReason.EPOCH, forked: GapReason.FORKED } as const;

/** Decides where a subscription of a durable channel begins (section 12.3). @throws Refusal for a rewind that is too far */
export function planStart(session: Session, channel: Channel, wish: Start, isResume: boolean, field: string): Plan {
  const { app } = session;
  const { breaks } = app;
  const { log, maxRewind } = app.durable(channel);
  const known = app.logs.cursorOf(keyOf(channel), session);
  const cursor = known === undefined || breaks.has("cursor-not-told") ? {} : { cursor: known };
  const head = log.head;
  const ignored = breaks.has("ignored-cursor-begins-at-the-head") ? atTheHead : unset;
  const start = wish.case === "cursor" && !session.features.has("cursor") ? ignored : wish;
  if (start.case === "after") return { ...goOn(log, start.value, session), head, ...cursor };
  if (start.case === "rewind") {
    if (start.value > maxRewind && !breaks.has("rewind-unbounded"))
      throw new Refusal(ErrorCode.INVALID_ARGUMENT, `${maxRewind} messages are the most`, `${field}.rewind`);
    const count = start.value + (breaks.has("rewind-one-more") ? 1 : 0);
    return { position: log.rewound(count), head, ...cursor, recovered: breaks.has("always-recovered") };
  }
  if (known !== undefined && start.case !== "head") {
    const plan = goOn(log, known, session);
    return { ...plan, head, ...cursor, recovered: plan.recovered && !isResume };
  }
  const position = breaks.has("head-replays-everything") ? log.tail : head;
  const isKept = isResume && breaks.has("resume-without-position-recovered");
  return { position, head, ...cursor, recovered: isKept || breaks.has("always-recovered") };
}

function goOn(
  log: ChannelLog,
  from: Place,
  { app: { breaks } }: Session,
): Pick<Plan, "position" | "recovered" | "gap"> {
  const { epoch, offset, tag } = from;
  const place = { epoch, offset, tag };
  const verdict = log.verdictOf(place);
  if (verdict !== "ok") {
    const { position, gap } = gapFor(log, place, verdict, breaks);
    return { position, gap, recovered: breaks.has("always-recovered") };
  }
  const isAhead = place.offset < log.tail.offset || place.offset > log.head.offset || epoch !== log.head.epoch;
  return { position: isAhead ? log.tail : place, recovered: !breaks.has("after-not-recovered") };
}

/** Where reading goes on after what is missing, and what the client is told. */
export function gapFor(
  log: ChannelLog,
  from: Place,
  verdict: Exclude<Verdict, "ok">,
  breaks: Session["app"]["breaks"],
): { position: Place; gap: Gap } {
  const atHead = verdict === "forked" || breaks.has("gaps-end-at-the-head");
  const position = atHead ? log.head : log.tail;
  const missed = verdict === "trimmed" && !breaks.has("missed-not-counted") ? position.offset - from.offset : 0n;
  const gap: Gap = { reason: reasons[verdict], to: position, missed };
  return { position, gap: breaks.has("gap-without-from") ? gap : { ...gap, from } };
}
