import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Where the way begins: any address of loopback but the one that Valkey listens at. */
const wayHost = "127.0.0.2";

/**
 * A way to each of some ports of loopback that can be cut without a word: connections stay open, new ones are accepted, and nothing comes
 * through in either direction until it is mended. Then what has not been given up goes on, as TCP sends again what was lost.
 */
export class CuttableWay implements AsyncDisposable {
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  /** Needs an operating system that has all of 127.0.0.0/8 for loopback, as Linux has. */
  static async open(ports: readonly number[]): Promise<CuttableWay> {
    const way = new CuttableWay();
    for (const port of ports) {
      const server = createServer({ pauseOnConnect: true }, (socket) => way.#lead(socket, port)).listen(port, wayHost);
      way.#servers.push(server);
      await once(server, "listening");
    }
    return way;
  }

  /** The other end is at the same port of 127.0.0.1. */
  get host(): string {
    return wayHost;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.pause();
  }

  mend(): void {
    this.#isCut = false;
    for (const socket of this.#sockets) socket.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#servers.map((server) => once(server.close(), "close")));
  }

  #lead(near: Socket, port: number): void {
    const far = connect({ port, host: "127.0.0.1" });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.on("data", (chunk) => {
        if (!to.write(chunk)) from.pause();
      });
      to.on("drain", () => {
        if (!this.#isCut) from.resume();
      });
      from.on("error", () => {});
      from.once("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
    if (this.#isCut) far.pause();
    else near.resume();
  }
}
