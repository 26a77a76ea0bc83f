import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { clientFrame } from "./client-frame.ts";
import { FrameParser, type MessageHandler } from "./frame-parser.ts";

export interface RawWebSocketOptions {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** Offered subprotocol; none if absent. */
  readonly protocol?: string;
  readonly onMessage: MessageHandler;
  /** Called once when an open connection ends for whatever reason, except by `destroy`. */
  readonly onClose: (reason: string) => void;
}

/** A WebSocket over a plain TCP socket: the cheapest client that can still check what it gets. */
export interface RawWebSocket {
  /** Sends one masked frame. */
  send(opcode: number, payload: Uint8Array): void;
  /** Drops the connection without a closing handshake. */
  destroy(): void;
}

/** One for all connections: a read is parsed before the next one starts. */
const readBuffer = new Uint8Array(256 * 1024);

/** Resolves when the upgrade was accepted. Rejects with an Error that quotes the status line otherwise. */
export function openRawWebSocket(options: RawWebSocketOptions): Promise<RawWebSocket> {
  return new Promise((resolve, reject) => {
    const parser = new FrameParser(options.onMessage);
    let response = Buffer.alloc(0);
    let open = false;
    let over = false;
    const end = (reason: string): void => {
      if (over) return;
      over = true;
      socket.destroy();
      if (open) options.onClose(reason);
      else reject(new Error(`WebSocket to port ${options.port} failed: ${reason}`));
    };
    const handle: RawWebSocket = {
      send: (opcode, payload) => {
        socket.write(clientFrame(opcode, payload));
      },
      destroy: () => {
        over = true;
        socket.destroy();
      },
    };
    const receive = (bytes: Uint8Array): void => {
      if (open) {
        parser.push(bytes);
        return;
      }
      response = Buffer.concat([response, bytes]);
      const headerEnd = response.indexOf("\r\n\r\n");
      if (headerEnd === -1) return;
      const status = response.subarray(0, response.indexOf("\r\n")).toString("latin1");
      if (!status.startsWith("HTTP/1.1 101 ")) {
        end(status);
        return;
      }
      open = true;
      resolve(handle);
      parser.push(response.subarray(headerEnd + 4));
    };
    const socket: Socket = connect({
      host: options.host,
      port: options.port,
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (length, buffer) => {
          try {
            receive(buffer.subarray(0, length));
          } catch (error) {
            end(String(error));
          }
          return true;
        },
      },
    });
    socket.on("connect", () => socket.write(upgradeRequest(options)));
    socket.on("error", (error) => end(error.message));
    socket.on("close", () => end("the server closed the TCP connection"));
  });
}

function upgradeRequest(options: RawWebSocketOptions): string {
  const lines = [
    `GET ${options.path} HTTP/1.1`,
    `Host: ${options.host}:${options.port}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
    "Sec-WebSocket-Version: 13",
  ];
  if (options.protocol !== undefined) lines.push(`Sec-WebSocket-Protocol: ${options.protocol}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}
