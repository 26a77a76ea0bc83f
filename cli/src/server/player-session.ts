import { type Client, connect, type StatusEvent } from "@fanfare/sdk-node";
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

/** How long the command tries to connect for the first time. */
const connectTimeoutMs = 10_000;

/** Connects as a player. @throws CliError */
export async function openPlayerSession(options: PlayerSessionOptions): Promise<Client> {
  const { url, token, player, onStatus, signal } = options;
  const instead = "a player's token with --token or FANFARE_TOKEN";
  const first = token ?? (await devCredentials(url, player, instead)).token;
  let fresh: string | undefined = first;
  const getToken = async () => {
    const given = fresh;
    fresh = undefined;
    if (given !== undefined) return given;
    // A token from the command line cannot be renewed; a development server that was started anew has other secrets.
    if (token === undefined) return (await devCredentials(url, player, instead)).token;
    throw new CliError("unauthorized", "the token has expired or was revoked");
  };
  try {
    return await connect({ url, getToken, onStatus, connectTimeoutMs, signal });
  } catch (error) {
    throw toCliError(url, error);
  }
}
