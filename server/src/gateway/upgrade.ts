import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { CloseCode } from "@fanfare/proto/v1";
import { WebSocket, WebSocketServer } from "ws";
import { clientAddress } from "./client-address.ts";
import { Connection, closeGraceMs, type FrameHandlers } from "./connection.ts";
import type { GatewayContext } from "./gateway-context.ts";
import { shakeHands } from "./handshake.ts";
import type { FrameFormat } from "./join-frames.ts";
import { handleRequest } from "./requests.ts";
import type { WritableSocket } from "./send-queue.ts";

/** Where clients connect. */
export const connectPath = "/v1/connect";

const handlers: FrameHandlers = { greet: shakeHands, handle: handleRequest };

const formats = new Map<string, FrameFormat>([
  ["fanfare.v1.proto", "proto"],
  ["fanfare.v1.json", "json"],
]);

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
  readonly #connections = new Set<Connection>();
  /** Upgraded to be closed, and waiting for the peer's close. */
  #refused = 0;
  readonly #server: WebSocketServer;

  constructor(context: GatewayContext) {
    this.#context = context;
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: context.config.limits.maxFrameBytes,
      WebSocket: GatewayWebSocket,
      // A browser fails a connection whose subprotocol is not answered, and then sees no close code; so one is answered always.
      handleProtocols: (offered) => [...offered].find((name) => formats.has(name)) ?? [...offered][0] ?? false,
    });
  }

  /** Connections from upgrade to close. */
  get connections(): ReadonlySet<Connection> {
    return this.#connections;
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
    if (this.#refused >= this.#context.config.limits.maxUnauthenticated) return void socket.destroy();
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      this.#context.counters.upgrades++;
      this.#accept(webSocket, request, socket, listener, refusal);
    });
  }

  #accept(
    webSocket: WebSocket,
    request: IncomingMessage,
    socket: WritableSocket,
    listener: number,
    refusal?: string,
  ): void {
    const { admission, clock, config, counters } = this.#context;
    const refuse = (code: CloseCode, reason: string): void => {
      counters.handshakesRefused++;
      counters.closed(code);
      webSocket.on("error", () => {});
      webSocket.close(code, reason);
      const timer = clock.setTimer(closeGraceMs, () => webSocket.terminate());
      this.#refused++;
      webSocket.on("close", () => {
        this.#refused--;
        timer.cancel();
      });
    };
    if (refusal !== undefined) return refuse(CloseCode.GOING_AWAY, refusal);
    const format = formats.get(webSocket.protocol);
    if (format === undefined) {
      return refuse(CloseCode.UNSUPPORTED_SUBPROTOCOL, `offer one of ${[...formats.keys()].join(", ")}`);
    }
    const remoteAddress = clientAddress(request, config.listen.trustedProxies);
    const full = admission.enter(remoteAddress);
    if (full !== undefined) return refuse(CloseCode.OVERLOADED, full);
    const pageOrigin = request.headers.origin;
    const context = this.#context;
    const connection = new Connection({
      handlers,
      context,
      webSocket,
      socket,
      format,
      pageOrigin,
      remoteAddress,
      listener,
    });
    this.#connections.add(connection);
    webSocket.on("close", () => this.#connections.delete(connection));
  }
}

function pathOf({ url = "/" }: IncomingMessage): string {
  const end = url.indexOf("?");
  return end === -1 ? url : url.slice(0, end);
}
