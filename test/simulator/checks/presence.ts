import { LeaveReason } from "@fanfare/sdk-core";
import type { Ledger, SeenLeaving, Subscriber } from "../ledger.ts";
import { presenceGroup } from "../plan.ts";
import type { SimulatedPlayer } from "../simulated-player.ts";

/** How late somebody may be seen to go, in milliseconds. */
export const lateMs = 5_000;

/** Everybody sees everybody who is there, with what they show, and nobody else. @returns what is wrong, in sentences */
export function rosterFaults(players: readonly SimulatedPlayer[]): string[] {
  const expected = outline(players.map(({ origin, shown }) => [origin, shown]));
  return players.flatMap((player) => {
    const { name, present } = player;
    if (present === undefined) return [`${name} does not know who is in ${presenceGroup}`];
    const seen = outline([...present]);
    return seen === expected ? [] : [`${name} sees ${seen} in ${presenceGroup}, where there are ${expected}`];
  });
}

function outline(entries: readonly (readonly [bigint, unknown])[]): string {
  const lines = entries.map(([origin, data]) => `${origin.toString(16)}: ${JSON.stringify(data)}`);
  return `{${lines.sort().join(", ")}}`;
}

/**
 * Nobody is seen to go who stays, also while sessions move.
 * @param mayNot whether somebody who is there may not be seen to go for another reason either. Default: nobody may
 * @returns what is wrong, in sentences
 */
export function checkNoFlicker(
  { subscribers, runs }: Ledger,
  mayNot: (seen: SeenLeaving) => boolean = () => true,
): string[] {
  const there = subscribers.filter(({ channel }) => channel === presenceGroup);
  return there.flatMap(({ by, seenLeaving }) =>
    seenLeaving
      .filter((seen) => seen.reason !== LeaveReason.KICKED && mayNot(seen))
      .filter((seen) =>
        stays(
          seen,
          there.filter((one) => one.by === runs.get(seen.origin)),
        ),
      )
      .map((seen) => `${by} sees ${runs.get(seen.origin)} leave (${LeaveReason[seen.reason]}), which is there`),
  );
}

/** Whether somebody is there by its own account who is seen to go, and has not gone and come back a moment ago. */
function stays({ atMs }: SeenLeaving, own: readonly Subscriber[]): boolean {
  const isThere = own.some(({ openedMs, endedMs = Infinity }) => openedMs <= atMs && atMs < endedMs);
  return isThere && !own.some(({ endedMs }) => endedMs !== undefined && endedMs <= atMs && atMs < endedMs + lateMs);
}
