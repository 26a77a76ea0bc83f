import type { IncomingMessage } from "node:http";
import type { Http2SecureServer, Http2Stream, ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

/** How long who has made a connection with TLS may leave it unused, in milliseconds. */
export interface SilenceOptions {
  /** From the handshake to the head of the first request. */
  readonly headTimeoutMs: number;
  /** From the end of the last request of an HTTP/2 session to the next; HTTP/1.1 has Node's own time for that, 5 s. */
  readonly idleMs: number;
}

/**
 * Closes connections that nobody uses. Node watches over the time of the TLS handshake alone: after it half a request's head may take 90 s, whatever a server that
 * also speaks HTTP/2 is told, and an HTTP/2 session may stay without a request for ever.
 */
export function closeSilentSockets(server: Http2SecureServer, { headTimeoutMs, idleMs }: SilenceOptions): void {
  const waiting = new WeakMap<Socket, NodeJS.Timeout>();
  const isUsed = ({ socket }: IncomingMessage): void => clearTimeout(waiting.get(socket));
  server.on("secureConnection", (socket: TLSSocket) => {
    if (socket.alpnProtocol === "h2") return;
    const timer = setTimeout(() => socket.destroy(), headTimeoutMs);
    waiting.set(socket, timer);
    socket.once("close", () => clearTimeout(timer));
  });
  server.on("request", (request) => isUsed(request as unknown as IncomingMessage));
  server.on("upgrade", isUsed);
  server.on("session", (session) => closeUnused(session, headTimeoutMs, idleMs));
}

/** What a session's pings and settings are good for without a request is to hold its place. */
function closeUnused(session: ServerHttp2Session, headTimeoutMs: number, idleMs: number): void {
  const end = (): void => session.destroy();
  let timer = setTimeout(end, headTimeoutMs);
  let streams = 0;
  session.on("stream", (stream: Http2Stream) => {
    streams++;
    clearTimeout(timer);
    stream.once("close", () => {
      streams--;
      if (streams === 0 && !session.destroyed) timer = setTimeout(end, idleMs);
    });
  });
  session.once("close", () => clearTimeout(timer));
}
