/**
 * Whether a page of this origin may connect. Clients that send no Origin are no browsers, and an Origin they made up would prove nothing.
 * @param dev pages of this machine are allowed too
 */
export function isOriginAllowed(origin: string | undefined, allowed: readonly string[], dev: boolean): boolean {
  if (origin === undefined || allowed.includes("*") || allowed.includes(origin)) return true;
  return dev && isLoopbackOrigin(origin);
}

function isLoopbackOrigin(origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  return isLoopbackHost(new URL(origin).hostname);
}

/** Whether a host name without port is this machine's own. */
export function isLoopbackHost(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost") || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}
