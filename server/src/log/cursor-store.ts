import type { LogPosition } from "./log-position.ts";
import type { LogChannel } from "./message-log.ts";

/** How far each player has processed each durable channel, across sessions. A cursor is kept for 180 days after its last commit. */
export interface CursorStore {
  /** The cursor, or undefined if none was ever committed. */
  get(channel: LogChannel, playerId: string): Promise<LogPosition | undefined>;
  /**
   * Moves the cursor forward: to a higher offset of the same epoch, or to a higher epoch. Acknowledged as messages are, by a replica where there is
   * one: where the first cursor of a player is lost the next subscription begins at the head, and nobody would say what was left out.
   * @param dead an epoch that the caller knows to be gone; a cursor of it is replaced, although it is the higher one
   * @returns the cursor as it stands then
   * @throws FanfareError LIMIT_EXCEEDED if the player has as many cursors as it may have (1000); UNAVAILABLE; DEADLINE_EXCEEDED: it may be
   *   stored or not
   */
  commit(channel: LogChannel, playerId: string, position: LogPosition, dead?: number): Promise<LogPosition>;
  /** Forgets all cursors of a player. @throws FanfareError UNAVAILABLE, DEADLINE_EXCEEDED: they may be erased or not */
  erasePlayer(appId: string, playerId: string): Promise<void>;
}

/** Most cursors of one player; a commit that needs one more is refused. */
export const maxCursorsOfPlayer = 1000;

/** How long a cursor is kept after the player's last commit, in milliseconds. */
export const cursorLifetimeMs = 180 * 24 * 60 * 60 * 1000;

/** Whether a commit of `to` moves a cursor that stands at `from`. */
export function movesForward(from: LogPosition | undefined, to: LogPosition, dead?: number): boolean {
  if (from === undefined || from.epoch === dead) return true;
  return from.epoch === to.epoch ? to.offset > from.offset : to.epoch > from.epoch;
}
