import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorDetailSchema } from "@fanfare/proto/control/v1";
import { ErrorCode, FanfareError } from "@fanfare/sdk-core";

/** For errors that carry no detail of Fanfare's, because they come from a proxy, the network or this side. */
const codes: Partial<Record<Code, ErrorCode>> = {
  [Code.Canceled]: ErrorCode.CANCELLED,
  [Code.InvalidArgument]: ErrorCode.INVALID_ARGUMENT,
  [Code.DeadlineExceeded]: ErrorCode.DEADLINE_EXCEEDED,
  [Code.NotFound]: ErrorCode.NOT_FOUND,
  [Code.PermissionDenied]: ErrorCode.PERMISSION_DENIED,
  [Code.ResourceExhausted]: ErrorCode.RATE_LIMITED,
  [Code.FailedPrecondition]: ErrorCode.FAILED_PRECONDITION,
  [Code.Unimplemented]: ErrorCode.UNIMPLEMENTED,
  // Connect's name for a connection that was cut below it.
  [Code.Aborted]: ErrorCode.UNAVAILABLE,
  [Code.Unavailable]: ErrorCode.UNAVAILABLE,
  [Code.Unauthenticated]: ErrorCode.UNAUTHENTICATED,
};

/** Codes of the system for a server that cannot be reached, or not any more. Connect knows only some of them. */
const networkCodes: ReadonlySet<unknown> = new Set([
  ...["ECONNABORTED", "ECONNREFUSED", "ECONNRESET", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH", "EPIPE"],
  ...["EAI_AGAIN", "ENOTFOUND", "EPROTO", "ETIMEDOUT"],
]);

/** What a call of the control API failed with: the server's own error, if the Connect error has it in its details. */
export function toFanfareError(thrown: unknown): FanfareError {
  if (thrown instanceof FanfareError) return thrown;
  const connectError = ConnectError.from(thrown);
  const [detail] = connectError.findDetails(ErrorDetailSchema);
  const {
    code = codes[connectError.code] ?? (isOfNetwork(thrown) ? ErrorCode.UNAVAILABLE : ErrorCode.INTERNAL),
    message,
    retryAfterMs = 0,
    field = "",
  } = detail?.error ?? {};
  if (code in ErrorCode && code !== ErrorCode.UNSPECIFIED) {
    return new FanfareError(code, message ?? connectError.rawMessage, { retryAfterMs, field, cause: connectError });
  }
  // A code of a newer server: nothing is known of it, not even whether it is of use to try again.
  return new FanfareError(ErrorCode.INTERNAL, connectError.rawMessage, { retryable: false, cause: connectError });
}

/** The reason is what the error wraps, at any depth. */
function isOfNetwork(thrown: unknown): boolean {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    if ("code" in error && networkCodes.has(error.code)) return true;
  }
  return false;
}
