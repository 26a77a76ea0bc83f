import type { LogPosition } from "../../log/log-position.ts";

/**
 * How far one subscription has been served from a log.
 *
 * | mode | an entry is stored | left by |
 * |---|---|---|
 * | live | sent, if it follows `position` | it does not follow, or the send queue is too full -> reading |
 * | reading | left for the reader, which takes pages from the log as the send queue drains | the log's end is reached -> live |
 *
 * A reader belongs to one connection of its session: a resume begins a new one from the position the client names.
 */
export class DurableReader {
  /** After the last entry that was put into the send queue. */
  position: LogPosition;
  mode: "live" | "reading" = "reading";
  /** False when another reader has taken its place, or its subscription is over. */
  current = true;
  /** Something may have been stored behind the page that is being read, and nobody says so. */
  isDoubted = false;
  /** `caught_up` is owed at the end of the replay. */
  announces: boolean;

  constructor(position: LogPosition, announces: boolean) {
    this.position = position;
    this.announces = announces;
  }
}
