import { CloseCode, closeEndsSession, closeMinBackoffMs, ErrorCode } from "../wire/schema.ts";

/** How a client goes on after a connection has ended; see `ReconnectPolicy` in `options.proto`. */
export type Reconnect = "never" | "backoff" | "soon" | "new-token";

/** What a WebSocket close code means for a client. */
export interface CloseDecision {
  reconnect: Reconnect;
  /** The session cannot be resumed. */
  sessionEnds: boolean;
  /** The least delay before the next attempt, in milliseconds. */
  minBackoffMs: number;
}

/** Standard codes that say that the same bytes would be refused again. */
const refusedForGood = [1002, 1003, 1007, 1009, 1010];

/** What a client does after any close code. Fanfare's own codes, also unknown ones, follow their hundreds digit. */
export function closeDecision(code: number): CloseDecision {
  return {
    reconnect: reconnectAfter(code),
    sessionEnds: closeEndsSession.includes(code),
    minBackoffMs: closeMinBackoffMs[code] ?? 0,
  };
}

function reconnectAfter(code: number): Reconnect {
  const range = Math.floor(code / 100);
  if (range === 40 || refusedForGood.includes(code)) return "never";
  if (range === 42) return "soon";
  return range === 43 ? "new-token" : "backoff";
}

/** Statuses of a refused upgrade that say that the next one would be refused as well. */
const refusedUpgrades = [400, 401, 403, 404, 405, 410, 426, 501, 505];
const longestRetryAfterMs = 30_000;

/** What a client does after an upgrade was refused with an HTTP status. `known`: it was welcomed at this address before. */
export function upgradeDecision(status: number, retryAfterMs: number, known: boolean): CloseDecision {
  const leastMs = status === 429 || status === 503 ? 1000 : 0;
  return {
    reconnect: !known && refusedUpgrades.includes(status) ? "never" : "backoff",
    sessionEnds: false,
    minBackoffMs: Math.max(leastMs, Math.min(retryAfterMs, longestRetryAfterMs)),
  };
}

const codes: Record<number, ErrorCode> = {
  [CloseCode.DISCONNECTED]: ErrorCode.SESSION_ENDED,
  [CloseCode.PROTOCOL_ERROR]: ErrorCode.MALFORMED,
  [CloseCode.UNSUPPORTED_REVISION]: ErrorCode.UNIMPLEMENTED,
  [CloseCode.UNSUPPORTED_SUBPROTOCOL]: ErrorCode.UNIMPLEMENTED,
  [CloseCode.UNAUTHENTICATED]: ErrorCode.UNAUTHENTICATED,
  [CloseCode.PERMISSION_DENIED]: ErrorCode.PERMISSION_DENIED,
  [CloseCode.ORIGIN_REFUSED]: ErrorCode.PERMISSION_DENIED,
  [CloseCode.KICKED]: ErrorCode.SESSION_ENDED,
  [CloseCode.BANNED]: ErrorCode.BANNED,
  [CloseCode.REPLACED]: ErrorCode.SESSION_ENDED,
  [CloseCode.STALE_ATTEMPT]: ErrorCode.SESSION_ENDED,
  [CloseCode.TOO_LARGE]: ErrorCode.TOO_LARGE,
  [CloseCode.RATE_LIMITED]: ErrorCode.RATE_LIMITED,
  [CloseCode.INTERNAL]: ErrorCode.INTERNAL,
  [CloseCode.GOING_AWAY]: ErrorCode.DRAINING,
  [CloseCode.TOKEN_EXPIRED]: ErrorCode.TOKEN_EXPIRED,
  [CloseCode.TOKEN_REVOKED]: ErrorCode.TOKEN_REVOKED,
};

/** The error code that says about a request what a close code says about its connection. */
export function errorCodeOfClose(closeCode: number): ErrorCode {
  return codes[closeCode] ?? ErrorCode.UNAVAILABLE;
}
