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
  [Code.Unavailable]: ErrorCode.UNAVAILABLE,
  [Code.Unauthenticated]: ErrorCode.UNAUTHENTICATED,
};

/** What a call of the control API failed with: the server's own error, if the Connect error has it in its details. */
export function toFanfareError(thrown: unknown): FanfareError {
  if (thrown instanceof FanfareError) return thrown;
  const connectError = ConnectError.from(thrown);
  const [detail] = connectError.findDetails(ErrorDetailSchema);
  const {
    code = codes[connectError.code] ?? ErrorCode.INTERNAL,
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
