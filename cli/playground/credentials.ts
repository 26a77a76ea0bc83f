/** Asks the development server that served this page for a player's token. */
export async function developmentToken(player: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(`/dev/credentials?player=${encodeURIComponent(player)}`, { signal });
  if (!response.ok) throw new Error((await response.text()).trim() || `no credentials (HTTP ${response.status})`);
  const { token } = (await response.json()) as { token: string };
  return token;
}
