import type { BackendCall } from "../game-backend.ts";
import type { Ledger } from "../ledger.ts";
import { type Plan, roomyQueueBytes } from "../plan.ts";
import { harmsNobody } from "./calm.ts";
import { checkNoFlicker } from "./presence.ts";

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
  return checkNoFlicker(ledger, ({ atMs, origin }) => {
    const welcomedMs = ledger.welcomedMs.get(origin) ?? Number.NEGATIVE_INFINITY;
    // Who was away meanwhile gets a list without somebody, and is not told why.
    const isSentAway = calls.some(({ step, playerId, beganMs, endedMs = Number.POSITIVE_INFINITY }) => {
      const isOfPlayer =
        (step.do === "kick" || step.do === "ban") && ledger.runs.get(origin)?.startsWith(`${playerId}#`);
      return isOfPlayer && beganMs <= atMs && welcomedMs <= endedMs;
    });
    return atMs < welcomedMs + timing.resumeWindowMs && !isSentAway;
  });
}
