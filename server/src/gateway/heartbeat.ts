/** What is known of a connection's traffic, by the monotonic clock, in milliseconds. */
export interface Traffic {
  readonly lastReceivedMs: number;
  readonly lastSentMs: number;
  /** When the last ping was sent. */
  readonly lastPingMs: number;
}

/** The heartbeat in force on a connection, in milliseconds. */
export interface HeartbeatTiming {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** What a look at a connection leads to. */
export type HeartbeatVerdict =
  | { readonly action: "wait" | "ping"; readonly checkAtMs: number }
  /** Nothing was received for interval + timeout. */
  | { readonly action: "dead" };

/**
 * Decides what a look at a connection at `nowMs` leads to, and when to look again. A ping is due when nothing was sent, or nothing was
 * received, for an interval, and at most once an interval.
 */
export function heartbeat(
  nowMs: number,
  traffic: Traffic,
  { intervalMs, timeoutMs }: HeartbeatTiming,
): HeartbeatVerdict {
  const deadAtMs = traffic.lastReceivedMs + intervalMs + timeoutMs;
  if (nowMs >= deadAtMs) return { action: "dead" };
  const idleSinceMs = Math.min(traffic.lastReceivedMs, traffic.lastSentMs);
  const pingAtMs = Math.max(idleSinceMs, traffic.lastPingMs) + intervalMs;
  if (nowMs < pingAtMs) return { action: "wait", checkAtMs: Math.min(pingAtMs, deadAtMs) };
  return { action: "ping", checkAtMs: Math.min(nowMs + intervalMs, deadAtMs) };
}
