import { closeDecision } from "@fanfare/proto/policy";
import { CloseCode, ErrorCode } from "@fanfare/proto/v1";

const byError = new Map<ErrorCode, CloseCode>([
  [ErrorCode.INVALID_ARGUMENT, CloseCode.PROTOCOL_ERROR],
  [ErrorCode.MALFORMED, CloseCode.PROTOCOL_ERROR],
  [ErrorCode.FAILED_PRECONDITION, CloseCode.PROTOCOL_ERROR],
  [ErrorCode.UNAUTHENTICATED, CloseCode.UNAUTHENTICATED],
  [ErrorCode.PERMISSION_DENIED, CloseCode.PERMISSION_DENIED],
  [ErrorCode.BANNED, CloseCode.BANNED],
  [ErrorCode.TOKEN_EXPIRED, CloseCode.TOKEN_EXPIRED],
  [ErrorCode.TOKEN_REVOKED, CloseCode.TOKEN_REVOKED],
  [ErrorCode.TOO_LARGE, CloseCode.TOO_LARGE],
  [ErrorCode.RATE_LIMITED, CloseCode.RATE_LIMITED],
  [ErrorCode.LIMIT_EXCEEDED, CloseCode.OVERLOADED],
  [ErrorCode.UNAVAILABLE, CloseCode.UNAVAILABLE],
  [ErrorCode.DRAINING, CloseCode.GOING_AWAY],
]);

/** The code a connection is closed with when an error ends it. */
export function closeCodeOf(code: ErrorCode): CloseCode {
  return byError.get(code) ?? CloseCode.INTERNAL;
}

/** Whether the session of a connection ends that is closed with this code (FF-SE-020). */
export function endsSession(code: number, by: "server" | "client"): boolean {
  if (by === "server") return closeDecision(code).sessionEnds;
  return code === CloseCode.DISCONNECTED || code === CloseCode.PROTOCOL_ERROR;
}
