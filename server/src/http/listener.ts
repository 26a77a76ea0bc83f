import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { createSecureServer } from "node:http2";
import type { AddressInfo, Server, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { ResolvedListen } from "../config/resolved-config.ts";
import type { UpgradeHandler } from "../gateway/upgrade.ts";
import { closeSilentSockets } from "./silent-sockets.ts";

/** What a listener is made of. */
export interface ListenerOptions {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  readonly tls: ResolvedListen["tls"];
  /** Its place among the node's listeners. */
  readonly index: number;
  readonly onUpgrade: UpgradeHandler["handle"];
  readonly onRequest: RequestListener;
  /** Sockets that are open at once, whatever they are used for; more are closed as they come. */
  readonly maxSockets: number;
  /** How long a client may take for TLS, and for the head of its first request, in milliseconds. */
  readonly headTimeoutMs: number;
  /** How long an HTTP/2 session may be without a request after its first one, in milliseconds. Default: 60,000. */
  readonly sessionIdleMs?: number;
  /** Told of a socket that was closed because there were too many. */
  readonly onDropped: () => void;
}

/** One address the node listens at. */
export class Listener {
  readonly index: number;
  readonly host: string;
  /** Set: nobody is accepted at the moment, and why. */
  refusal: string | undefined;
  readonly #options: ListenerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(options: ListenerOptions) {
    const { onUpgrade, onDropped, maxSockets, index } = options;
    this.index = index;
    this.host = options.host;
    this.#options = options;
    this.#server = newServer(options);
    this.#server.maxConnections = maxSockets;
    this.#server.on("drop", onDropped);
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    this.#server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      onUpgrade(request, socket, head, index, this.refusal),
    );
  }

  /** Begins to listen. @throws the system's error, for instance EADDRINUSE */
  open(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen({ host: this.#options.host, port: this.#options.port }, () => {
      this.#server.removeListener("error", reject);
      resolve();
    });
    return promise;
  }

  /** The port it has. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Its address, for instance `http://127.0.0.1:8080`. */
  get url(): string {
    const host = this.host.includes(":") ? `[${this.host}]` : this.host;
    return `${this.#options.tls === undefined ? "http" : "https"}://${host}:${this.port}`;
  }

  /** Accepts nobody any more and ends what is open. */
  close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const socket of this.#sockets) socket.destroy();
    return promise;
  }
}

/**
 * The system asks whoever has been silent for a minute whether there is still somebody: a reader of events whose machine is gone would keep its place for ever, because
 * nothing that is sent to it fails as long as nothing is sent.
 */
const keepAlive = { keepAlive: true, keepAliveInitialDelay: 60_000 };

/** With TLS it speaks HTTP/2, which gRPC needs, and HTTP/1.1, which WebSockets need, as the client chooses. */
function newServer({ tls, onRequest, headTimeoutMs, sessionIdleMs = 60_000 }: ListenerOptions): Server {
  if (tls === undefined) {
    const connectionsCheckingInterval = Math.min(headTimeoutMs, 5_000);
    return createServer({ ...keepAlive, headersTimeout: headTimeoutMs, connectionsCheckingInterval }, onRequest);
  }
  const files = { cert: readFileSync(tls.certificateFile), key: readFileSync(tls.keyFile) };
  const options = { ...files, ...keepAlive, allowHTTP1: true, handshakeTimeout: headTimeoutMs };
  // Node's HTTP/2 requests and responses have the shape of those of HTTP/1.1; only their types differ.
  const server = createSecureServer(options, onRequest as never);
  closeSilentSockets(server, { headTimeoutMs, idleMs: sessionIdleMs });
  return server;
}
