import { create } from "@bufbuild/protobuf";
import { ErrorCode, type Gap, GapReason, GapSchema, type Subscribe } from "@fanfare/proto/v1";
import type { ChannelPolicy } from "../../config/channel-policy.ts";
import { FanfareError } from "../../fanfare-error.ts";
import type { CoalescedCursors } from "../../log/coalesced-cursors.ts";
import { fromWirePosition, type LogPosition, toWirePosition } from "../../log/log-position.ts";
import type { LogChannel, LogEnds, MessageLog, PositionVerdict } from "../../log/message-log.ts";

/** Where a durable subscription begins, and what its client is told of it. */
export interface StartPlan {
  /** Messages follow from here. */
  readonly position: LogPosition;
  /** The newest position of the log when the plan was made. */
  readonly head: LogPosition;
  /** The player's cursor, if one was ever committed. */
  readonly cursor: LogPosition | undefined;
  /** Nothing is missing between what was asked for and `position`. */
  readonly recovered: boolean;
  readonly gap: Gap | undefined;
}

/** What a plan is made for. */
export interface StartRequest {
  readonly channel: LogChannel;
  readonly policy: ChannelPolicy;
  readonly playerId: string;
  readonly start: Subscribe["start"];
  /** A resumed session that does not say where it was has lost its place (FF-DU-020). */
  readonly isResume: boolean;
}

/**
 * Decides where a subscription begins (FF-DU-013).
 * @throws FanfareError INVALID_ARGUMENT for a rewind past the namespace's bound, UNAVAILABLE if the log cannot be read
 */
export async function planStart(log: MessageLog, cursors: CoalescedCursors, request: StartRequest): Promise<StartPlan> {
  const { channel, policy, playerId, start, isResume } = request;
  const cursor = await cursors.get(channel, playerId);
  switch (start.case) {
    case "after":
      return { ...(await goOn(log, request, fromWirePosition(start.value))), cursor };
    case "rewind": {
      if (start.value > policy.maxRewind) {
        const message = `the namespace allows to rewind ${policy.maxRewind} messages`;
        throw new FanfareError(ErrorCode.INVALID_ARGUMENT, message, { field: "subscribe.rewind" });
      }
      const { position, head } = await log.rewind(channel, policy, start.value);
      return { position, head, cursor, recovered: false, gap: undefined };
    }
    default: {
      const wantsCursor = start.case === undefined || (start.case === "cursor" && start.value);
      if (cursor !== undefined && wantsCursor) {
        const plan = await goOn(log, request, cursor);
        return { ...plan, recovered: plan.recovered && !(isResume && start.case === undefined), cursor };
      }
      const { head } = await log.ends(channel, policy);
      return { position: head, head, cursor, recovered: false, gap: undefined };
    }
  }
}

/** Begins after a position, or, if that cannot be, where `positionAfter` says, with a gap. */
async function goOn(
  log: MessageLog,
  { channel, policy }: StartRequest,
  from: LogPosition,
): Promise<Omit<StartPlan, "cursor">> {
  const { verdict, ...ends } = await log.read({ channel, policy, direction: "forward", from, limit: 1, maxBytes: 1 });
  if (verdict === "ok") return { position: from, head: ends.head, recovered: true, gap: undefined };
  const position = positionAfter(verdict, ends);
  return { position, head: ends.head, recovered: false, gap: gapOf(verdict, from, position) };
}

type Trouble = Exclude<PositionVerdict, "ok">;

/** Where reading goes on when it cannot go on from where it was (FF-DU-019). */
export function positionAfter(verdict: Trouble, { head, tail }: LogEnds): LogPosition {
  return verdict === "forked" ? head : tail;
}

const reasons: Record<Trouble, GapReason> = {
  trimmed: GapReason.TRIMMED,
  "other-epoch": GapReason.EPOCH,
  forked: GapReason.FORKED,
};

/** What a receiver is told that cannot go on from where it was (FF-DU-017, FF-DU-018). */
export function gapOf(verdict: Trouble, from: LogPosition, to: LogPosition): Gap {
  const missed = verdict === "trimmed" ? Math.max(0, to.offset - from.offset) : 0;
  return create(GapSchema, {
    reason: reasons[verdict],
    from: toWirePosition(from),
    to: toWirePosition(to),
    missed: BigInt(missed),
  });
}
