import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { CloseCode } from "@fanfare/proto/v1";
import { WebSocket, WebSocketServer } from "ws";
import { clientAddress } from "./client-address.ts";
import type { Connection } from "./connection.ts";
import { Connections, subprotocols } from "./connections.ts";
import type { GatewayContext } from "./gateway-context.ts";
import type { WebSocketPort } from "./web-socket-port.ts";

/** Where clients connect. */
export const connectPath = "/v1/connect";

/**
 * Tells by the event `closing` when a close begins, whoever begins it: the gateway writes to the socket below, where nothing may follow the close
 * frame. Refuses a message that is too large with Fanfare's own code, where ws has the standard one.
 */
class GatewayWebSocket extends WebSocket {
  override close(code?: number, data?: string | Buffer): void {
    // ws passes a reason, be it empty, when it answers the peer's close, and none when it refuses what the peer has sent.
    const refused = code !== undefined && data === undefined;
    const sent = refused && code === 1009 ? CloseCode.TOO_LARGE : code;
    this.emit("closing", sent ?? 1005, refused ? "server" : "client");
    super.close(sent, data);
  }
}

/** Turns HTTP upgrades into connections. */
export class UpgradeHandler {
  readonly #context: GatewayContext;
  readonly #connections: Connections;
  readonly #server: WebSocketServer;

  constructor(context: GatewayContext) {
    this.#context = context;
    this.#connections = new Connections(context);
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: context.config.limits.maxFrameBytes,
      WebSocket: GatewayWebSocket,
      // A browser fails a connection whose subprotocol is not answered, and then sees no close code; so one is answered always.
      handleProtocols: (offered) => [...offered].find((name) => subprotocols.has(name)) ?? [...offered][0] ?? false,
    });
  }

  /** Connections from upgrade to close. */
  get connections(): ReadonlySet<Connection> {
    return this.#connections.all;
  }

  /**
   * Handles one `upgrade` of an HTTP server.
   * @param listener which of the node's listeners it came in by
   * @param refusal set: nobody is accepted at the moment, and why
   */
  handle(request: IncomingMessage, socket: Duplex, head: Buffer, listener: number, refusal?: string): void {
    socket.on("error", () => socket.destroy());
    if (pathOf(request) !== connectPath) {
      socket.once("finish", () => socket.destroy()); // the client may never end its half
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    // Who is refused is told so as long as few are; a flood of them is cut.
    if (this.#connections.refused >= this.#context.config.limits.maxUnauthenticated) return void socket.destroy();
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      this.#connections.accept({
        webSocket: webSocket as WebSocketPort,
        socket,
        subprotocol: webSocket.protocol,
        remoteAddress: clientAddress(request, this.#context.config.listen.trustedProxies),
        pageOrigin: request.headers.origin,
        listener,
        refusal,
      });
    });
  }
}

function pathOf({ url = "/" }: IncomingMessage): string {
  const end = url.indexOf("?");
  return end === -1 ? url : url.slice(0, end);
}
