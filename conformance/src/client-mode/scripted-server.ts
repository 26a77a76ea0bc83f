import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";

/** A connection that the client under test tries to open; it waits until a step takes it. */
export class Knock {
  readonly request: IncomingMessage;
  readonly atMs = performance.now();
  /** Which of the two addresses. */
  readonly address: number;
  readonly #socket: Duplex;
  readonly #head: Buffer;
  readonly #webSockets: WebSocketServer;

  constructor(request: IncomingMessage, socket: Duplex, head: Buffer, address: number, webSockets: WebSocketServer) {
    this.request = request;
    this.address = address;
    this.#socket = socket;
    this.#head = head;
    this.#webSockets = webSockets;
  }

  /** Subprotocols that the client offers. */
  get offered(): string[] {
    const header = this.request.headers["sec-websocket-protocol"] ?? "";
    return header
      .split(",")
      .map((one) => one.trim())
      .filter((one) => one !== "");
  }

  /** The client has given up. */
  get isGone(): boolean {
    return this.#socket.destroyed;
  }

  accept(): Promise<WebSocket> {
    return new Promise((resolve) => this.#webSockets.handleUpgrade(this.request, this.#socket, this.#head, resolve));
  }

  refuse(status: number): void {
    this.#socket.end(`HTTP/1.1 ${status} No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  }
}

/** What the scripted server tells of who comes. */
export interface ServerEvents {
  /** The client tries to open a connection. */
  knocked(knock: Knock): void;
  /** Something else than HTTP came, such as TLS. */
  odd(text: string): void;
}

/** Listens for the client under test at two addresses, and does nothing by itself. */
export class ScriptedServer implements AsyncDisposable {
  readonly #listeners: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #knocks: Knock[] = [];
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: 16 * 1024 * 1024,
    handleProtocols: (offered) => ["fanfare.v1.proto", "fanfare.v1.json"].find((one) => offered.has(one)) ?? false,
  });
  #waiting: (() => void)[] = [];
  readonly #events: ServerEvents;

  private constructor(events: ServerEvents) {
    this.#events = events;
  }

  static async start(events: ServerEvents): Promise<ScriptedServer> {
    const server = new ScriptedServer(events);
    for (const address of [0, 1]) await server.#listen(address);
    return server;
  }

  /** WebSocket URLs. */
  get urls(): string[] {
    return this.#listeners.map((one) => `ws://127.0.0.1:${(one.address() as AddressInfo).port}/v1/connect`);
  }

  /** The next connection that the client tries to open; undefined if none comes in time. */
  async next(withinMs: number): Promise<Knock | undefined> {
    const deadlineMs = performance.now() + withinMs;
    for (;;) {
      const knock = this.#knocks.shift();
      if (knock !== undefined && !knock.isGone) return knock;
      if (knock === undefined && performance.now() >= deadlineMs) return undefined;
      if (knock === undefined) await this.#knocked(deadlineMs);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#listeners.map((one) => new Promise((resolve) => one.close(resolve))));
  }

  async #knocked(deadlineMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push(resolve);
    const timer = setTimeout(resolve, Math.max(0, deadlineMs - performance.now()));
    await promise;
    clearTimeout(timer);
  }

  async #listen(address: number): Promise<void> {
    const listener = createServer((_request, response) => response.writeHead(404).end());
    listener.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    listener.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      if (error.code?.startsWith("HPE_")) this.#events.odd("the client speaks something else than HTTP");
      socket.destroy();
    });
    listener.on("upgrade", (request, socket, head) => {
      const knock = new Knock(request, socket, head, address, this.#webSockets);
      this.#events.knocked(knock);
      this.#knocks.push(knock);
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const one of waiting) one();
    });
    this.#listeners.push(listener);
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  }
}
