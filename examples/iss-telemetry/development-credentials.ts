/** What a development server gives to whoever is on the same machine. */
export interface DevelopmentCredentials {
  /** A player's token. */
  readonly token: string;
  /** Key of the control API. */
  readonly apiKey: string;
}

/** Asks a development server for a player's token and its API key. A game mints tokens in its own backend instead. */
export async function developmentCredentials(url: string, player: string): Promise<DevelopmentCredentials> {
  const response = await fetch(`${url}/dev/credentials?player=${player}`).catch((cause: unknown) => {
    throw new Error(`nothing answers at ${url}: start \`npm start\` first, or name another server by --url`, { cause });
  });
  if (!response.ok) throw new Error(`${url} is no development server (HTTP ${response.status})`);
  return (await response.json()) as DevelopmentCredentials;
}

/** As {@link developmentCredentials}, for a program that is of no use without: says what is wrong, and exits with 1. */
export async function developmentCredentialsOrExit(url: string, player: string): Promise<DevelopmentCredentials> {
  try {
    return await developmentCredentials(url, player);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
