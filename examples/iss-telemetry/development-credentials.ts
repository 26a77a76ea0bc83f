/** What a development server gives to whoever is on the same machine. */
export interface DevelopmentCredentials {
  /** A player's token. */
  readonly token: string;
  /** Key of the control API. */
  readonly apiKey: string;
}

/** Asks a development server for a player's token and its API key. A game mints tokens in its own backend instead. */
export async function developmentCredentials(url: string, player: string): Promise<DevelopmentCredentials> {
  const response = await fetch(`${url}/dev/credentials?player=${player}`);
  if (!response.ok) throw new Error(`${url} is no development server (HTTP ${response.status})`);
  return (await response.json()) as DevelopmentCredentials;
}
