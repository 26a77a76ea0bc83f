import type { CloseCode } from "@fanfare/proto/v1";
import type { OutboundFrame } from "../wire/outbound-frame.ts";

/** The connection that carries a session, as the hub sees it. Implemented by the gateway. */
export interface SessionLink {
  /** Puts a frame into the send queue. Never throws; a link that is closing ignores it. */
  enqueue(frame: OutboundFrame): void;
  /** Sends what is queued, then closes. */
  close(code: CloseCode, reason: string): void;
  /** Asks the client to move. See `fanfare.v1.Goaway`. */
  goAway(options: { deadlineMs: number; reconnectAfterMs: number; url: string; rebalancing: boolean }): void;
  /** Sends what is queued, then `handed_over`, then closes: the session has moved to another link. */
  handOver(): void;
  /** Settles when the kernel has taken what was queued; at once for a link that is closed. */
  writable(): Promise<void>;
  /** The client was asked to move. */
  readonly goingAway: boolean;
  /** What the client says it is, for operators. */
  readonly clientInfo: string;
  /** The newest round trip of a heartbeat in microseconds; 0: none yet. */
  readonly roundTripUs: number;
  /** Bytes that wait in the send queue. */
  readonly queuedBytes: number;
  /** How many may wait there. */
  readonly queueBytes: number;
  /** Which listener of the node it came in by. */
  readonly listener: number;
}
