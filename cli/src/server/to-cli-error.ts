import { ErrorCode, FanfareError } from "@fanfare/sdk-node";
import { CliError } from "../cli-error.ts";
import { type Credential, unknownTo } from "./credential.ts";
import { unreachable } from "./unreachable.ts";

/** The server does not let in whoever shows this. */
export const refused: ReadonlySet<ErrorCode> = new Set([
  ErrorCode.UNAUTHENTICATED,
  ErrorCode.TOKEN_EXPIRED,
  ErrorCode.TOKEN_REVOKED,
  ErrorCode.PERMISSION_DENIED,
  ErrorCode.BANNED,
]);

const outOfReach: ReadonlySet<ErrorCode> = new Set([
  ErrorCode.UNAVAILABLE,
  ErrorCode.DEADLINE_EXCEEDED,
  ErrorCode.DRAINING,
]);

/**
 * What the SDK's error means for the command.
 * @param credential what the server was shown, for the error of one that does not know it; default: as the server says it
 */
export function toCliError(url: string, error: unknown, credential?: Credential): CliError {
  if (error instanceof CliError) return error;
  const { code, message, cause } = FanfareError.from(error);
  // A token provider that failed is wrapped by the SDK.
  if (cause instanceof CliError) return cause;
  if (code === ErrorCode.UNAUTHENTICATED && credential !== undefined) return unknownTo(url, credential, error);
  if (refused.has(code)) return new CliError("unauthorized", message, "", { cause: error });
  if (outOfReach.has(code)) return unreachable(url, error);
  return new CliError("failed", message, "", { cause: error });
}
