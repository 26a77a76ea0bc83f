import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TokenSource } from "@fanfare/proto/conformance/v1alpha";
import { closeDecision } from "@fanfare/proto/policy";
import { CloseCode, CloseCodeSchema, GoawayReason } from "@fanfare/proto/v1";
import { WebSocketServer } from "ws";
import { type Breaks, noBreaks } from "../mutants/mutants.ts";
import type { Form } from "../run/frame-form.ts";
import type { DisposableServer } from "../target/environment.ts";
import { fixtureTokens } from "../target/fixtures.ts";
import { App } from "./app.ts";
import { ChannelTable } from "./channel.ts";
import { Connection } from "./connection.ts";
import { ControlApi } from "./control/control-api.ts";
import { type MoveRequest, sendAway } from "./going-away.ts";
import { fixtureSettings, type Settings } from "./settings.ts";

const path = "/v1/connect";
const forms: Record<string, Form> = { "fanfare.v1.proto": "binary", "fanfare.v1.json": "json" };

/**
 * A small server with the fixtures, for tests of the runner: it keeps the rules of every profile in the plainest way there is, except those
 * that it is told to break. It plays two nodes, one at each address, that share everything they know.
 */
export class ReferenceServer implements DisposableServer {
  readonly settings: Settings;
  readonly tokens: TokenSource;
  readonly breaks: Breaks;
  readonly apps: ReadonlyMap<string, App>;
  readonly connections = new Set<Connection>();
  readonly control = new ControlApi(this);
  /** Who publishes for the backend. */
  readonly producer = { origin: randomOrigin(), seq: 0n };
  /** Close codes of the server that end a session. */
  readonly endingCodes: number[];
  readonly #listeners: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #webSockets: WebSocketServer;
  #isDraining = false;

  private constructor(breaks: Breaks) {
    this.breaks = breaks;
    this.settings = fixtureSettings();
    this.tokens = fixtureTokens();
    const shared = breaks.has("apps-share-channels") ? new ChannelTable() : undefined;
    const ids = [...this.settings.apps.keys()];
    this.apps = new Map(ids.map((id) => [id, new App(id, this.settings, breaks, shared ?? new ChannelTable())]));
    this.endingCodes = CloseCodeSchema.values
      .map(({ number }) => number)
      .filter((code) => code !== 0 && closeDecision(code).sessionEnds);
    this.#webSockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: true,
      maxPayload: breaks.has("inflated-unbounded") ? 0 : 4 * 1024 * 1024,
      handleProtocols: (offered) => this.#select([...offered]),
    });
  }

  static async start(breaks: Breaks = noBreaks): Promise<ReferenceServer> {
    const server = new ReferenceServer(breaks);
    for (const address of [0, 1]) await server.#listen(address);
    return server;
  }

  get addresses(): readonly string[] {
    return this.#listeners.map((listener) => `ws://127.0.0.1:${(listener.address() as AddressInfo).port}${path}`);
  }

  newOrigin(): bigint {
    return randomOrigin();
  }

  move(request: MoveRequest): void {
    const leaving = [...this.connections].filter(({ address, session }) => address === 0 && session !== undefined);
    sendAway(leaving, request, { reason: GoawayReason.REBALANCING, url: this.addresses[1] ?? "" });
  }

  /** Sends everybody away and takes nobody new. Returns how many sessions have to go. */
  drain(request: MoveRequest): number {
    this.#isDraining = !this.breaks.has("draining-welcomes");
    const leaving = [...this.connections].filter(({ session }) => session !== undefined);
    sendAway(leaving, request, { reason: GoawayReason.DRAINING, url: "" });
    return leaving.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.connections) connection.cut();
    for (const app of this.apps.values()) for (const session of [...app.sessions.values()]) app.end(session, "left");
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#listeners.map((one) => new Promise((resolve) => one.close(resolve))));
  }

  async #listen(address: number): Promise<void> {
    const listener = createServer((_request, response) => response.writeHead(404).end());
    listener.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    listener.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head, address));
    this.#listeners.push(listener);
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, address: number): void {
    if (request.url !== path && !this.breaks.has("any-path")) return refuse(socket, "404 Not Found");
    const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((one) => one.trim());
    const isSpoken = offered.some((one) => this.#isSpoken(one));
    const isBare = request.headers["sec-websocket-extensions"] === undefined;
    if (isBare && this.breaks.has("extension-demanded")) return refuse(socket, "400 Bad Request");
    if (!isSpoken && this.breaks.has("no-subprotocol-refused-by-status")) return refuse(socket, "400 Bad Request");
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const form = this.#isSpoken(webSocket.protocol) ? forms[webSocket.protocol] : undefined;
      if (form === undefined) return webSocket.close(CloseCode.UNSUPPORTED_SUBPROTOCOL, "no common subprotocol");
      if (!this.#isOriginAllowed(request.headers.origin)) {
        return webSocket.close(CloseCode.ORIGIN_REFUSED, "this origin is not on the list");
      }
      if (this.#isDraining) return webSocket.close(CloseCode.GOING_AWAY, "this node is going away");
      this.connections.add(new Connection(this, webSocket, form, address));
    });
  }

  #isSpoken(subprotocol: string): boolean {
    return subprotocol in forms && !(this.breaks.has("json-alone-spoken") && forms[subprotocol] === "binary");
  }

  #isOriginAllowed(origin: string | undefined): boolean {
    if (origin === undefined || this.breaks.has("origin-unchecked") || this.breaks.has("origin-of-any-page"))
      return true;
    return this.settings.allowedOrigins.has(origin);
  }

  #select(offered: readonly string[]): string | false {
    const isSpoken = (one: string) =>
      one in forms && !(this.breaks.has("json-alone-spoken") && forms[one] === "binary");
    const spoken = offered.filter(isSpoken);
    const chosen = this.breaks.has("last-subprotocol-selected") ? spoken.at(-1) : spoken[0];
    return chosen ?? offered[0] ?? false;
  }
}

function randomOrigin(): bigint {
  return randomBytes(8).readBigUInt64LE() | 1n;
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
