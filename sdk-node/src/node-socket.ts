import type { Socket, SocketEvents, SocketFactory } from "@fanfare/sdk-core/port";
import { type RawData, WebSocket } from "ws";

/** After this, a socket whose other side does not answer the close is destroyed. */
const closeTimeoutMs = 2000;

/** The protocol's bound is 2 MiB; a larger message is no Fanfare server's. */
const maxPayload = 8 * 1024 * 1024;

/** WebSockets of the `ws` package. */
export const nodeSockets: SocketFactory = {
  open(url: string, subprotocols: readonly string[], events: SocketEvents): Socket {
    // Redirects are not followed, and compression is off: it costs memory, and messages of games are small.
    const socket = new WebSocket(url, [...subprotocols], { perMessageDeflate: false, maxPayload });
    let failure = "";
    let refusal: { status: number; retryAfterMs: number } | undefined;
    socket.on("unexpected-response", (_request, { statusCode = 0, headers }) => {
      refusal = { status: statusCode, retryAfterMs: Number(headers["retry-after"] ?? 0) * 1000 || 0 };
      socket.terminate();
    });
    socket.on("open", () => events.opened(socket.protocol));
    socket.on("message", (data, isBinary) => events.message(isBinary ? toBytes(data) : data.toString()));
    socket.on("error", (error) => {
      failure = error.message; // `close` follows
    });
    socket.on("close", (code, reason) => events.closed(code, reason.toString() || failure, refusal));
    return {
      get bufferedBytes() {
        return socket.bufferedAmount;
      },
      send(bytes) {
        if (socket.readyState === WebSocket.OPEN) socket.send(bytes);
      },
      close(code, reason) {
        socket.close(code, reason);
        setTimeout(() => socket.terminate(), closeTimeoutMs).unref();
      },
    };
  },
};

/** A plain Uint8Array, because a Buffer's methods behave differently. */
function toBytes(data: RawData): Uint8Array {
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  const buffer = Array.isArray(data) ? Buffer.concat(data) : data;
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
