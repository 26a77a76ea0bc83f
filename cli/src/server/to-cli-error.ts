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

/** Nobody does it now, and somebody may later. */
export const outOfReach: ReadonlySet<ErrorCode> = new Set([
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
  if (outOfReach.has(code)) {
    const answer = answerBehind(error);
    return answer === undefined ? unreachable(url, error) : unable(url, answer, error);
  }
  return new CliError("failed", message, "", { cause: error });
}

/** Close codes from here on are those of Fanfare's servers. */
const firstOwnCloseCode = 4000;
/** A call of the control API that a server, or a proxy in front of it, has answered with "unavailable", by Connect's numbers. */
const connectUnavailable = 14;

/** Somebody has answered, and it is not the network that failed: a server, or a proxy in front of it. */
export function isAnswered(error: unknown): boolean {
  return answerBehind(error) !== undefined;
}

/**
 * What somebody has answered, itself or behind the error; undefined: nobody has. What the network fails with has a close code of the WebSocket protocol,
 * or the system's error as its cause.
 */
function answerBehind(error: unknown): string | undefined {
  if (!(error instanceof FanfareError)) return undefined;
  const { closeCode, cause, message } = error;
  if (closeCode !== undefined) return closeCode >= firstOwnCloseCode ? message : undefined;
  if (!(cause instanceof Error) || cause.name !== "ConnectError") return answerBehind(cause);
  const isAnswer = "code" in cause && cause.code === connectUnavailable && cause.cause === undefined;
  return isAnswer ? message : undefined;
}

/** The error of a server that answers that it cannot do this now. */
function unable(url: string, answer: string, cause: unknown): CliError {
  return new CliError(
    "unreachable",
    `${url} answers that it cannot do this now: ${answer}`,
    "try again, or at another node with --url",
    {
      cause,
    },
  );
}
