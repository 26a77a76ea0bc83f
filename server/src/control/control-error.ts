import { Code, ConnectError } from "@connectrpc/connect";
import { codeFromString } from "@connectrpc/connect/protocol-connect";
import { ErrorDetailSchema } from "@fanfare/proto/control/v1";
import { errorPolicy } from "@fanfare/proto/policy";
import type { FanfareError } from "../fanfare-error.ts";

/** The error as Connect carries it: the code that `error.proto` names, and the error itself in the details. */
export function toConnectError(error: FanfareError): ConnectError {
  const code = codeFromString(errorPolicy(error.code)?.connectCode ?? "") ?? Code.Internal;
  return new ConnectError(
    error.message,
    code,
    undefined,
    [{ desc: ErrorDetailSchema, value: { error: error.toProto() } }],
    error.cause,
  );
}
