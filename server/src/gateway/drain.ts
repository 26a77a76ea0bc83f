import { CloseCode } from "@fanfare/proto/v1";
import type { Clock } from "../clock.ts";
import type { Connection } from "./connection.ts";

/** How connections are sent away. */
export interface DrainOptions {
  /** Over which they are spread, in milliseconds. */
  readonly windowMs: number;
  /** After which who is still there is closed, in milliseconds. */
  readonly deadlineMs: number;
  /** Where to; empty: the URL they have. */
  readonly url: string;
  readonly rebalancing: boolean;
}

/**
 * Sends connections away: each is asked to move at a time of its own within the window, and closed at the deadline. Those that have not
 * been welcomed cannot be asked and are closed at once.
 * @returns how many were told, and when the last of them has gone
 */
export function drain(
  connections: Iterable<Connection>,
  clock: Clock,
  options: DrainOptions,
): { told: number; done: Promise<void> } {
  const all = [...connections];
  for (const connection of all) if (!connection.isOpen) connection.close(CloseCode.GOING_AWAY, goingAway);
  const leaving = all.filter((connection) => connection.isOpen && !connection.goingAway);
  const stepMs = leaving.length === 0 ? 0 : options.windowMs / leaving.length;
  for (const [i, connection] of leaving.entries()) {
    const reconnectAfterMs = Math.floor(stepMs * i);
    const { deadlineMs, url, rebalancing } = options;
    connection.goAway({ deadlineMs, reconnectAfterMs, url, rebalancing });
  }
  return { told: leaving.length, done: allGone(all, clock, options.deadlineMs) };
}

/**
 * Sends some of the connections away, those that were there first. Who is on the way already counts as one of them.
 * @returns how many were told
 */
export function sendAway(
  connections: Iterable<Connection>,
  clock: Clock,
  count: number,
  options: DrainOptions,
): number {
  const open = [...connections].filter((connection) => connection.isOpen);
  const staying = open.filter((connection) => !connection.goingAway);
  const isLeaving = open.length - staying.length;
  return drain(staying.slice(0, Math.max(0, count - isLeaving)), clock, options).told;
}

const goingAway = "this node is going away";

function allGone(connections: readonly Connection[], clock: Clock, deadlineMs: number): Promise<void> {
  const timer = clock.setTimer(deadlineMs, () => {
    for (const connection of connections) connection.close(CloseCode.GOING_AWAY, goingAway);
  });
  return Promise.all(connections.map((connection) => connection.gone)).then(() => timer.cancel());
}
