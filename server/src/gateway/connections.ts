import { type ClientFrame, CloseCode } from "@fanfare/proto/v1";
import { Connection, closeGraceMs, type FrameHandlers } from "./connection.ts";
import type { GatewayContext } from "./gateway-context.ts";
import { shakeHands } from "./handshake.ts";
import type { FrameFormat } from "./join-frames.ts";
import { handleRequest, handleWaiting } from "./requests.ts";
import type { WritableSocket } from "./send-queue.ts";
import type { WebSocketPort } from "./web-socket-port.ts";

const handlers: FrameHandlers = {
  async greet(connection, hello) {
    await shakeHands(connection, hello);
    const { session, clientInfo: client, context } = connection;
    if (session === undefined) return;
    const { id, appId: app, playerId: player } = session;
    context.log.debug("a client was welcomed", { session: id, app, player, client });
  },
  handle(connection, frame, limited) {
    if (connection.context.log.enabled("debug")) trace(connection, frame);
    handleRequest(connection, frame, limited);
  },
  handleWaiting,
};

/** Logs that a frame came, and nothing of what is in it. */
function trace({ session, context }: Connection, { id, kind }: ClientFrame): void {
  context.log.debug("a frame came", { session: session?.id, kind: kind.case ?? "unknown", id });
}

/** The subprotocols that are spoken here, and the form of their frames. */
export const subprotocols: ReadonlyMap<string, FrameFormat> = new Map([
  ["fanfare.v1.proto", "proto"],
  ["fanfare.v1.json", "json"],
]);

/** A WebSocket that stands, and what is known of its other end. */
export interface Upgraded {
  readonly webSocket: WebSocketPort;
  /** The socket below the WebSocket. */
  readonly socket: WritableSocket;
  /** As it was answered; empty: none. */
  readonly subprotocol: string;
  readonly remoteAddress: string;
  /** The page's origin; undefined for clients that are no browser. */
  readonly pageOrigin: string | undefined;
  /** Index of the listener it came in by. */
  readonly listener: number;
  /** Set: nobody is accepted at the moment, and why. */
  readonly refusal?: string | undefined;
}

/** The connections of a node, from upgrade to close. */
export class Connections {
  readonly #context: GatewayContext;
  readonly #all = new Set<Connection>();
  /** Upgraded to be closed, and waiting for the peer's close. */
  #refused = 0;

  constructor(context: GatewayContext) {
    this.#context = context;
  }

  get all(): ReadonlySet<Connection> {
    return this.#all;
  }

  /** How many are being told that they are refused. */
  get refused(): number {
    return this.#refused;
  }

  /** Makes a connection of a WebSocket, or closes it with the reason why not. */
  accept(upgraded: Upgraded): void {
    const context = this.#context;
    context.counters.upgrades++;
    const { webSocket, socket, remoteAddress, pageOrigin, listener, refusal } = upgraded;
    if (refusal !== undefined) return this.#refuse(webSocket, CloseCode.GOING_AWAY, refusal);
    const format = subprotocols.get(upgraded.subprotocol);
    if (format === undefined) {
      const reason = `offer one of ${[...subprotocols.keys()].join(", ")}`;
      return this.#refuse(webSocket, CloseCode.UNSUPPORTED_SUBPROTOCOL, reason);
    }
    const full = context.admission.enter(remoteAddress);
    if (full !== undefined) return this.#refuse(webSocket, CloseCode.OVERLOADED, full);
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
    this.#all.add(connection);
    const { log } = context;
    log.debug("a connection was accepted", { address: remoteAddress, origin: pageOrigin, format, listener });
    webSocket.on("close", (code) => {
      this.#all.delete(connection);
      log.debug("a connection has ended", { address: remoteAddress, session: connection.session?.id, code });
    });
  }

  #refuse(webSocket: WebSocketPort, code: CloseCode, reason: string): void {
    const { counters, clock, log } = this.#context;
    log.debug("a connection was refused", { code, reason });
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
  }
}
