import { createServer, type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocket, WebSocketServer } from "ws";
import type { FaultRule } from "./fault-rule.ts";
import { ProxiedConnection, type ProxyTap } from "./proxied-connection.ts";
import { RuleBook } from "./rule-book.ts";

const maxPayload = 32 * 1024 * 1024;

/** What stands behind a proxy, and who watches it. */
export interface FaultProxyOptions {
  /** WebSocket URLs of the server; the proxy has one of its own for each. */
  readonly upstreams: readonly string[];
  /** Called for each connection that a client opens; what it returns watches the connection. */
  readonly watch?: (number: number, request: IncomingMessage) => ProxyTap;
}

/**
 * Stands between a client and a server, whoever they are, and cuts, stalls, delays, duplicates, reorders and rewrites frames by rule. Without a
 * rule everything passes as it is: subprotocols, paths, headers that matter, statuses, close codes, bytes that are no frames.
 */
export class FaultProxy implements AsyncDisposable {
  readonly #options: FaultProxyOptions;
  readonly #book = new RuleBook(() => {
    for (const one of this.#connections) one.pump();
  });
  readonly #listeners: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #connections = new Set<ProxiedConnection>();
  /** What the server has selected for an upgrade that is being answered. */
  readonly #selected = new WeakMap<IncomingMessage, string>();
  readonly #webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload,
    autoPong: false,
    handleProtocols: (_offered, request) => this.#selected.get(request) || false,
  });
  #count = 0;

  private constructor(options: FaultProxyOptions) {
    this.#options = options;
  }

  static async start(options: FaultProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options);
    for (const upstream of options.upstreams) await proxy.#listen(upstream);
    return proxy;
  }

  /** WebSocket URLs for clients, in the order of the upstreams. */
  get urls(): string[] {
    return this.#listeners.map((one, i) => {
      const { pathname } = new URL(this.#options.upstreams[i] ?? "");
      return `ws://127.0.0.1:${(one.address() as AddressInfo).port}${pathname}`;
    });
  }

  /** Connections whose client's side is open. */
  get standing(): ProxiedConnection[] {
    return [...this.#connections].filter(({ stands }) => stands);
  }

  /** Lifts the rules of these names, and then adds others behind those in force. */
  change(rules: readonly FaultRule[], lift: readonly string[] = []): void {
    this.#book.lift(lift);
    this.#book.add(rules);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#connections) one.destroy();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#listeners.map((one) => new Promise((resolve) => one.close(resolve))));
  }

  async #listen(upstream: string): Promise<void> {
    const listener = createServer((_request, response) => response.writeHead(404).end());
    listener.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    listener.on("upgrade", (request, socket, head) => this.#upgrade(upstream, request, socket, head));
    this.#listeners.push(listener);
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  }

  #upgrade(upstream: string, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const number = ++this.#count;
    socket.on("error", () => {});
    const tap = this.#options.watch?.(number, request) ?? {};
    const action = this.#book.judge("opening", number, {})?.action;
    if (action?.kind === "cut") {
      tap.ended?.("proxy", 0, "");
      if (action.httpStatus > 0) return refuse(socket, action.httpStatus);
      if (action.reset) (socket as Socket).resetAndDestroy();
      else socket.destroy();
      return;
    }
    const dial = () => this.#dial(number, upstream, { request, socket, head, tap });
    if (action?.kind === "delay") setTimeout(dial, action.ms);
    else dial();
  }

  #dial(
    number: number,
    upstream: string,
    { request, socket, head, tap }: { request: IncomingMessage; socket: Duplex; head: Buffer; tap: ProxyTap },
  ): void {
    if (socket.destroyed) return;
    const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").flatMap((one) => one.trim() || []);
    const { origin } = request.headers;
    const server = new WebSocket(new URL(request.url ?? "/", upstream), offered, {
      perMessageDeflate: false,
      maxPayload,
      autoPong: false,
      ...(origin === undefined ? {} : { origin }),
    });
    const giveUp = () => server.terminate();
    socket.once("close", giveUp);
    server.once("unexpected-response", (_request, { statusCode = 502, headers }) => {
      refuse(socket, statusCode, headers["retry-after"]);
      server.terminate();
    });
    server.on("error", () => {
      if (server.readyState !== WebSocket.OPEN) socket.destroy();
    });
    server.once("open", () => {
      socket.off("close", giveUp);
      this.#selected.set(request, server.protocol);
      // Both sides are connected in this turn, so that what comes right behind the upgrade is not missed.
      this.#webSockets.handleUpgrade(request, socket, head, (client) => {
        const connection = new ProxiedConnection(number, client, server, this.#book, tap);
        this.#connections.add(connection);
        client.once("close", () => setImmediate(() => this.#forget(connection, server)));
      });
      if (socket.destroyed) server.terminate();
    });
  }

  /** A connection whose server's side was left standing is kept until the proxy ends. */
  #forget(connection: ProxiedConnection, server: WebSocket): void {
    if (server.readyState === WebSocket.CLOSED) this.#connections.delete(connection);
    else server.once("close", () => this.#connections.delete(connection));
  }
}

function refuse(socket: Duplex, status: number, retryAfter?: string): void {
  const more = retryAfter === undefined ? "" : `Retry-After: ${retryAfter}\r\n`;
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "No"}\r\nConnection: close\r\n${more}Content-Length: 0\r\n\r\n`,
  );
}
