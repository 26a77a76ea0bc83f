import { CloseCode, type GoawayReason } from "@fanfare/proto/v1";
import type { Connection } from "./connection.ts";

/** How clients are sent away. */
export interface MoveRequest {
  readonly windowMs: number;
  readonly deadlineMs: number;
}

/** Sends connections away: each is told a time of its own within the window, and closed at the deadline. */
export function sendAway(
  connections: readonly Connection[],
  { windowMs, deadlineMs }: MoveRequest,
  { reason, url }: { readonly reason: GoawayReason; readonly url: string },
): void {
  for (const [i, connection] of connections.entries()) {
    const { breaks, session } = connection;
    const share = breaks.has("all-leave-at-once") ? 0.5 : i / connections.length;
    const reconnectAfterMs = Math.floor(windowMs * share);
    connection.goingAway = true;
    if (!breaks.has("no-goaway")) {
      const value = { reason, deadlineMs, reconnectAfterMs, url };
      connection.send({ case: "goaway", value });
    }
    if (breaks.has("no-deadline")) continue;
    const closeMs = session?.features.has("hand_over") ? deadlineMs : reconnectAfterMs;
    connection.timers.set("goaway", closeMs, () => connection.close(CloseCode.GOING_AWAY, "this node is going away"));
  }
}

/** The session has another connection now. */
export function leaveFormer(former: Connection, handsOver: boolean): void {
  const { breaks } = former;
  if (!handsOver) {
    if (breaks.has("former-still-handled")) former.leftWith = CloseCode.REPLACED;
    else if (!breaks.has("former-not-closed"))
      former.close(CloseCode.REPLACED, "a newer attempt has another connection");
    return;
  }
  if (breaks.has("changes-on-the-former") && former.isAlive && !former.lingers) {
    // Long enough for what a client sends behind the welcome of its new connection.
    former.lingers = true;
    former.timers.set("goaway", 300, () => leaveFormer(former, true));
    return;
  }
  if (breaks.has("queue-lost-at-hand-over")) former.forgetWaiting();
  if (!breaks.has("no-handed-over")) former.send({ case: "handedOver", value: {} });
  if (breaks.has("frames-after-handed-over")) former.send({ case: "ping", value: { sentAtUs: 1n } }, 99);
  if (breaks.has("handled-after-handed-over")) former.leftWith = CloseCode.HANDED_OVER;
  else former.close(CloseCode.HANDED_OVER, "the session has moved");
}
