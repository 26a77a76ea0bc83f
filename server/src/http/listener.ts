import { readFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { ResolvedListen } from "../config/resolved-config.ts";
import type { UpgradeHandler } from "../gateway/upgrade.ts";

/** What a listener is made of. */
export interface ListenerOptions {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  readonly tls: ResolvedListen["tls"];
  /** Its place among the node's listeners. */
  readonly index: number;
  readonly upgrades: UpgradeHandler;
  readonly onRequest: RequestListener;
}

/** One address the node listens at. */
export class Listener {
  readonly index: number;
  readonly host: string;
  /** Set: nobody is accepted at the moment, and why. */
  refusal: string | undefined;
  readonly #options: ListenerOptions;
  readonly #server: Server;

  constructor(options: ListenerOptions) {
    const { tls, onRequest, upgrades, index } = options;
    this.index = index;
    this.host = options.host;
    this.#options = options;
    this.#server =
      tls === undefined
        ? createServer(onRequest)
        : createTlsServer({ cert: readFileSync(tls.certificateFile), key: readFileSync(tls.keyFile) }, onRequest);
    this.#server.on("upgrade", (request, socket, head) => upgrades.handle(request, socket, head, index, this.refusal));
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
    this.#server.closeAllConnections();
    return promise;
  }
}
