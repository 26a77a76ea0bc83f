import type { DevCredentials } from "@fanfare/server";
import { CliError } from "../cli-error.ts";
import { unreachable } from "./unreachable.ts";

/** Longer than a server on this machine ever takes. */
const timeoutMs = 5000;

/**
 * Asks a development server on this machine for a player's token and its API key.
 * @param instead what to pass if the server gives none, for the error
 * @throws CliError
 */
export async function devCredentials(url: string, player: string, instead: string): Promise<DevCredentials> {
  const address = `${url}/dev/credentials?player=${encodeURIComponent(player)}`;
  const response = await fetch(address, { signal: AbortSignal.timeout(timeoutMs) }).catch((error: unknown) => {
    throw unreachable(url, error);
  });
  if (response.ok) return (await response.json()) as DevCredentials;
  const answer = (await response.text()).trim();
  if (response.status === 400) throw new CliError("usage", answer);
  const message = `${url} gives no development credentials (HTTP ${response.status})`;
  throw new CliError("unauthorized", message, `it is no development server on this machine: pass ${instead}`);
}
