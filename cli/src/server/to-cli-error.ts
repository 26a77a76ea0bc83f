import { ErrorCode, FanfareError } from "@fanfare/sdk-node";
import { CliError } from "../cli-error.ts";
import { unreachable } from "./unreachable.ts";

const refused: ReadonlySet<ErrorCode> = new Set([
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

/** What the SDK's error means for the command. */
export function toCliError(url: string, error: unknown): CliError {
  if (error instanceof CliError) return error;
  const { code, message, cause } = FanfareError.from(error);
  // A token provider that failed is wrapped by the SDK.
  if (cause instanceof CliError) return cause;
  if (refused.has(code)) return new CliError("unauthorized", message, "", { cause: error });
  if (outOfReach.has(code)) return unreachable(url, error);
  return new CliError("failed", message, "", { cause: error });
}
