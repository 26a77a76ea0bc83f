import {
  type Client,
  connect,
  ErrorCode,
  FanfareError,
  type StatusEvent,
  type TokenReason,
  type TokenRequest,
} from "@fanfare/sdk-node";
import { CliError } from "../cli-error.ts";
import { devCredentials } from "./dev-credentials.ts";
import { toCliError } from "./to-cli-error.ts";

/** Who connects, and with what. */
export interface PlayerSessionOptions {
  readonly url: string;
  /** A player's token; without one a development server is asked for one of `player`. */
  readonly token: string | undefined;
  readonly player: string;
  readonly onStatus: (event: StatusEvent) => void;
  readonly signal: AbortSignal;
}

/** Ends the session, unless the token in use is still good. */
function noNewerToken(reason: TokenReason): FanfareError {
  const remedy = "pass a newer --token or FANFARE_TOKEN";
  const [code, text] =
    reason === "revoked"
      ? ([ErrorCode.TOKEN_REVOKED, "the token was revoked"] as const)
      : ([ErrorCode.TOKEN_EXPIRED, "the token has expired"] as const);
  const cause = new CliError("unauthorized", text, remedy);
  return new FanfareError(code, text, { retryable: false, cause });
}

/** How long the command tries to connect for the first time. */
const connectTimeoutMs = 10_000;

/** Connects as a player. @throws CliError */
export async function openPlayerSession(options: PlayerSessionOptions): Promise<Client> {
  const { url, token, player, onStatus, signal } = options;
  const instead = "a player's token with --token or FANFARE_TOKEN";
  const first = token ?? (await devCredentials(url, player, instead)).token;
  let fresh: string | undefined = first;
  const getToken = async ({ reason }: TokenRequest) => {
    const unused = fresh;
    fresh = undefined;
    if (unused !== undefined) return unused;
    // A token from the command line cannot be renewed; a development server that was started anew has other secrets.
    if (token === undefined) return (await devCredentials(url, player, instead)).token;
    throw noNewerToken(reason);
  };
  try {
    return await connect({ url, getToken, onStatus, connectTimeoutMs, signal });
  } catch (error) {
    throw sessionError(url, error, token);
  }
}

/** Why a session did not come about, or is over. A development server has other secrets each time it starts. */
export function sessionError(url: string, error: unknown, token: string | undefined): CliError {
  const told = toCliError(url, error);
  if (!refusedTokens.has(FanfareError.from(error).code) || told.remedy !== "") return told;
  const remedy =
    token === undefined
      ? "if the development server was started anew, its secrets are new as well: run this again"
      : "pass another one with --token or FANFARE_TOKEN";
  return new CliError("unauthorized", told.message, remedy, { cause: error });
}

const refusedTokens: ReadonlySet<ErrorCode> = new Set([
  ErrorCode.UNAUTHENTICATED,
  ErrorCode.TOKEN_EXPIRED,
  ErrorCode.TOKEN_REVOKED,
]);
