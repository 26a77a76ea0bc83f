import type { Socket, SocketEvents, SocketFactory } from "@fanfare/sdk-core/port";

/** The browser's WebSockets. */
export const browserSockets: SocketFactory = {
  open(url: string, subprotocols: readonly string[], events: SocketEvents): Socket {
    let socket: WebSocket;
    try {
      socket = new WebSocket(url, [...subprotocols]);
    } catch (thrown) {
      // Browsers throw for ports they block, and for ws in pages that came by https.
      queueMicrotask(() => events.closed(1006, String(thrown)));
      return { bufferedBytes: 0, send() {}, close() {} };
    }
    socket.binaryType = "arraybuffer";
    socket.onopen = () => events.opened(socket.protocol);
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) =>
      events.message(typeof data === "string" ? data : new Uint8Array(data));
    socket.onclose = ({ code, reason }) => events.closed(code, reason);
    return {
      get bufferedBytes() {
        return socket.bufferedAmount;
      },
      send(bytes) {
        if (socket.readyState === WebSocket.OPEN) socket.send(bytes);
      },
      close(code, reason) {
        socket.close(code, reason);
      },
    };
  },
};
