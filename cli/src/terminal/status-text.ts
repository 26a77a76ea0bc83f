import { GapReason, type StatusEvent, type Target } from "@fanfare/sdk-node";
import { durationText } from "./duration.ts";
import { printable } from "./printable.ts";

/** A channel for people. */
export function targetText(target: Target): string {
  if (target === "broadcast") return "everybody";
  return "group" in target ? `group ${target.group}` : `player ${target.player}`;
}

/** What happens to a connection, for people; undefined: nothing they would want to know. */
export function statusText(event: StatusEvent): string | undefined {
  switch (event.type) {
    case "open":
      return event.resumed ? "connected again, the session goes on" : `connected, session ${event.sessionId}`;
    case "moving":
      return "the server goes away, moving to another connection";
    case "waiting": {
      const why = event.error === undefined ? "" : `: ${printable(event.error.message)}`;
      return `not connected${why}; trying again in ${durationText(event.delayMs)}`;
    }
    case "closed":
      return event.error === undefined ? undefined : `disconnected for good: ${printable(event.error.message)}`;
    case "dropped":
      return `${event.count} volatile messages were dropped, because this reader is too slow`;
    case "channel-closed":
      return `no longer subscribed to ${targetText(event.channel.target)}`;
    case "error":
      return printable(event.error.message);
    default:
      return undefined;
  }
}

/** Messages were, or may have been, missed. */
export function gapText(target: Target, reason: GapReason | "overflow"): string {
  const why =
    reason === GapReason.DETACHED ? "there was no connection for a while" : "they came faster than they were read";
  const known = reason === GapReason.DETACHED || reason === "overflow";
  return `messages to ${targetText(target)} may have been missed${known ? `: ${why}` : ""}`;
}
