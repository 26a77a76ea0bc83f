import type { LogPosition } from "@fanfare/sdk-core";
import { type Commit, type Ledger, type Published, placeOf, playerOf, type Subscriber } from "../ledger.ts";
import { mayBeCleared } from "./cleared.ts";
import type { Losses } from "./guarantees.ts";

/** A player's cursor goes forward only, and who begins at it misses nothing: neither of the player's last session nor of another. @returns what is wrong, in sentences */
export function checkCursors({ commits, subscribers, published, clears }: Ledger, { logsAreLost }: Losses): string[] {
  if (logsAreLost) return [];
  return [
    ...commits.flatMap((commit) => checkCommit(commit, mayBeCleared(clears, commit.channel, commit.position))),
    ...subscribers.flatMap((subscriber) => {
      const isOwn = ({ by, channel, excludeSelf }: Published) =>
        excludeSelf && by === subscriber.by && channel === subscriber.channel;
      return checkBegin(subscriber, commits.filter(isOf(subscriber)), [...published.values()].filter(isOwn).length);
    }),
  ];
}

function isOf({ by, channel }: Subscriber): (commit: Commit) => boolean {
  return (commit) => commit.channel === channel && playerOf(commit.by) === playerOf(by);
}

function checkCommit({ by, channel, position, cursor, error }: Commit, mayBeGone: boolean): string[] {
  if (!mayBeGone && error.startsWith("POSITION_INVALID"))
    return [`${by} may not commit ${placeOf(position)} in ${channel}: ${error}`];
  if (cursor === undefined || !isBefore(cursor, position)) return [];
  return [`${by} commits ${placeOf(position)} in ${channel}, and is told that its cursor is ${placeOf(cursor)}`];
}

/**
 * It begins at a cursor that was stored when it was asked for, or at one that was stored since.
 * @param excluded messages that may stand behind the cursor and are not for it
 */
function checkBegin(
  { by, channel, begin, askedMs, openedMs, received }: Subscriber,
  commits: readonly Commit[],
  excluded: number,
): string[] {
  if (begin === undefined || askedMs === undefined) return [];
  const stored = commits.flatMap(({ cursor, endedMs = Infinity }) => (cursor && endedMs <= askedMs ? [cursor] : []));
  const cursor = newest(stored);
  if (cursor === undefined) return [];
  const last = newest([cursor, ...commits.filter(({ beganMs }) => beganMs <= openedMs).map((one) => one.position)]);
  const isTold = received.some((one) => one.type === "gap" && one.to?.offset === begin.offset);
  const isLate = last?.epoch !== begin.epoch || last.offset + excluded < begin.offset;
  if ((!isLate || isTold) && !isBefore(begin, cursor)) return [];
  return [`${by} begins in ${channel} at ${placeOf(begin)}, and its cursor is ${placeOf(cursor)}`];
}

function newest(positions: readonly LogPosition[]): LogPosition | undefined {
  return positions.reduce<LogPosition | undefined>((max, one) => (max && !isBefore(max, one) ? max : one), undefined);
}

function isBefore(a: LogPosition, b: LogPosition): boolean {
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.offset < b.offset);
}
