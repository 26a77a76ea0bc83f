import { getOption, hasOption } from "@bufbuild/protobuf";
import { CloseCode, CloseCodeSchema } from "../gen/fanfare/v1/close_pb.js";
import { type ErrorCode, ErrorCodeSchema } from "../gen/fanfare/v1/error_pb.js";
import {
  type ClosePolicy,
  close as closeOption,
  type ErrorPolicy,
  error as errorOption,
  ReconnectPolicy,
} from "../gen/fanfare/v1/options_pb.js";

/** The policy that `error.proto` gives a code; undefined for a code this revision does not know. */
export function errorPolicy(code: ErrorCode): ErrorPolicy | undefined {
  const value = ErrorCodeSchema.value[code];
  return value !== undefined && hasOption(value, errorOption) ? getOption(value, errorOption) : undefined;
}

/** Whether the same request may succeed later, unchanged. False for unknown codes. */
export function isRetryable(code: ErrorCode): boolean {
  return errorPolicy(code)?.retryable ?? false;
}

/** What a client does after a WebSocket close code: `close.proto`'s own entry, or what the code's range says. */
export interface CloseDecision {
  reconnect: ReconnectPolicy;
  /** The session cannot be resumed. */
  sessionEnds: boolean;
  /** Least delay before the next attempt, in milliseconds. */
  minBackoffMs: number;
}

/**
 * What a client does after any WebSocket close code. Unknown codes of 4000-4399 follow their range. Of the standard codes,
 * 1002, 1003, 1007, 1009 and 1010 mean that the same bytes would be refused again; everything else comes back with back-off.
 */
export function closeDecision(code: number): CloseDecision {
  const value = CloseCodeSchema.value[code as CloseCode];
  if (value !== undefined && code !== CloseCode.UNSPECIFIED && hasOption(value, closeOption)) {
    const policy: ClosePolicy = getOption(value, closeOption);
    return { reconnect: policy.reconnect, sessionEnds: policy.sessionEnds, minBackoffMs: policy.minBackoffMs };
  }
  return { reconnect: reconnectByRange(code), sessionEnds: false, minBackoffMs: 0 };
}

function reconnectByRange(code: number): ReconnectPolicy {
  if (code >= 4000 && code < 4100) return ReconnectPolicy.NEVER;
  if (code >= 4200 && code < 4300) return ReconnectPolicy.SOON;
  if (code >= 4300 && code < 4400) return ReconnectPolicy.NEW_TOKEN;
  const refusedForGood = code === 1002 || code === 1003 || code === 1007 || code === 1009 || code === 1010;
  return refusedForGood ? ReconnectPolicy.NEVER : ReconnectPolicy.BACKOFF;
}

/**
 * What a client does when the WebSocket upgrade was answered with an HTTP status instead. Fanfare refuses with close codes, so a status
 * comes from whatever stands before it. Browsers hide the status: there it is always back-off.
 *
 * NEVER says that the same request would be refused again. A client obeys it only as long as it was never welcomed at this URL;
 * afterwards it is a fault on the way that may pass, and the client backs off.
 */
export function upgradeDecision(status: number): CloseDecision {
  const refusedForGood = permanentStatuses.has(status);
  const busy = status === 429 || status === 503;
  return {
    reconnect: refusedForGood ? ReconnectPolicy.NEVER : ReconnectPolicy.BACKOFF,
    sessionEnds: false,
    minBackoffMs: busy ? 1000 : 0,
  };
}

const permanentStatuses: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 410, 426, 501, 505]);
