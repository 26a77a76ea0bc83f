import { once } from "node:events";
import { createConnection, createServer, type Server, type Socket } from "node:net";

interface Connection {
  readonly client: Socket;
  readonly server: Socket;
  isWedged: boolean;
}

/** Stands before a TCP server and makes it far away: whatever goes either way takes so much longer, and keeps its order. */
export class DistantProxy implements AsyncDisposable {
  readonly #listener: Server;
  readonly #connections = new Set<Connection>();
  /** Half of the round trip, in milliseconds. Connecting takes one round trip, as it does over TCP. */
  oneWayMs = 0;

  private constructor(port: number) {
    this.#listener = createServer({ noDelay: true }, (client) => this.#accept(client, port));
  }

  static async before(port: number): Promise<DistantProxy> {
    const proxy = new DistantProxy(port);
    proxy.#listener.listen(0, "127.0.0.1");
    await once(proxy.#listener, "listening");
    return proxy;
  }

  get address(): { host: string; port: number } {
    return { host: "127.0.0.1", port: (this.#listener.address() as { port: number }).port };
  }

  /** The connections of now stay open, and nothing comes through them any more; later ones are none of them. */
  wedge(): void {
    for (const connection of this.#connections) connection.isWedged = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const { client, server } of this.#connections) {
      client.destroy();
      server.destroy();
    }
    await once(this.#listener, "close");
  }

  #accept(client: Socket, port: number): void {
    // It had been accepted by the system before.
    if (!this.#listener.listening) return void client.destroy();
    const server = createConnection({ host: "127.0.0.1", port, noDelay: true });
    const connection = { client, server, isWedged: false };
    this.#connections.add(connection);
    const openAtMs = performance.now() + 2 * this.oneWayMs;
    this.#carry(connection, client, server, openAtMs);
    this.#carry(connection, server, client, openAtMs);
    const close = (): void => {
      this.#connections.delete(connection);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on("error", close).on("close", close);
  }

  #carry(connection: Connection, from: Socket, to: Socket, openAtMs: number): void {
    const onTheirWay: Buffer[] = [];
    from.on("data", (bytes: Buffer) => {
      onTheirWay.push(bytes);
      const waitMs = Math.max(0, openAtMs - performance.now()) + this.oneWayMs;
      // Whichever timer goes off, what was sent first goes first.
      setTimeout(() => {
        const first = onTheirWay.shift();
        if (!connection.isWedged && first !== undefined && !to.destroyed) to.write(first);
      }, waitMs);
    });
  }
}
