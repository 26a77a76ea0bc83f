/** Open sockets of each side of the page, by the `side` in their URL. */
const sockets = new Map<string, Set<WebSocket>>();

class TrackedWebSocket extends WebSocket {
  constructor(url: string | URL, protocols?: string | string[]) {
    super(url, protocols);
    const side = new URL(url).searchParams.get("side") ?? "";
    const own = sockets.get(side) ?? new Set();
    sockets.set(side, own.add(this));
    this.addEventListener("close", () => own.delete(this));
  }
}

/** From now on every WebSocket of this page can be dropped behind its client's back. */
export function trackWebSockets(): void {
  globalThis.WebSocket = TrackedWebSocket;
}

/** The address at which a side of the page connects. */
export function connectAddress(side: string): string {
  return `${location.origin}/?side=${encodeURIComponent(side)}`;
}

/** Closes the sockets of a side without a word to its client, which finds its connection lost. */
export function dropTransport(side: string): void {
  for (const socket of sockets.get(side) ?? []) socket.close();
}
