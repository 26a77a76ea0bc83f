import type { BackendCall } from "../game-backend.ts";
import type { Ledger, SeenLeaving } from "../ledger.ts";
import { type Plan, presenceGroup, roomyQueueBytes } from "../plan.ts";
import { harmsNobody } from "./calm.ts";
import { checkNoFlicker, lateMs } from "./presence.ts";

/**
 * Where nothing worse happens than that connections are lost, nobody is seen to go whose client comes back in time, to whatever node (FF-PR-006): not
 * while it is away, nor because the entry of the node that it was at ends. Who was connected at a time is there for the resume window
 * behind it, whether it has come back by then or not.
 * @returns what is wrong, in sentences
 */
export function checkLostConnections(plan: Plan, ledger: Ledger, calls: readonly BackendCall[]): string[] {
  const { linkBounds, sendQueueBytes, steps, timing } = plan;
  const isRoomy = linkBounds === "roomy" && sendQueueBytes >= roomyQueueBytes;
  if (!isRoomy || !steps.every((step) => step.do === "cut" || harmsNobody(step))) return [];
  return checkNoFlicker(ledger, (seen) => {
    const lastMs = ledger.welcomesMs.get(seen.origin)?.at(-1) ?? Number.NEGATIVE_INFINITY;
    const isInTime = seen.atMs < lastMs + timing.resumeWindowMs;
    return isInTime && !isSentAway(seen, lastMs, ledger, calls) && !hasNotNamed(seen, ledger);
  });
}

/** Whether the backend has ended the session: a watcher who was away meanwhile gets a list without it, and is not told why. */
function isSentAway(
  { atMs, origin }: SeenLeaving,
  lastMs: number,
  { runs }: Ledger,
  calls: readonly BackendCall[],
): boolean {
  return calls.some(({ step, playerId, beganMs, endedMs = Number.POSITIVE_INFINITY }) => {
    const ends = step.do === "kick" || step.do === "ban";
    return ends && runs.get(origin)?.startsWith(`${playerId}#`) && beganMs <= atMs && lastMs <= endedMs;
  });
}

/** Whether the client came back and did not name the group, which closes it there (FF-SB-014): it has left while it was away, or knew nothing of its join. */
function hasNotNamed({ atMs, origin }: SeenLeaving, { runs, subscribers, welcomesMs }: Ledger): boolean {
  const own = subscribers.filter(({ by, channel }) => channel === presenceGroup && by === runs.get(origin));
  const returnsMs = welcomesMs.get(origin)?.slice(1) ?? [];
  return returnsMs.some((backMs) => {
    const isLately = backMs <= atMs && atMs < backMs + lateMs;
    return isLately && !own.some(({ openedMs, endedMs = Infinity }) => openedMs <= backMs && backMs < endedMs);
  });
}
