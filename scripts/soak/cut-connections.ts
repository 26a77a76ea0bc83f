import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";

/** Every TCP connection that this process opens to a port, so that they can be cut beneath whoever uses them. */
export class CutConnections {
  readonly #sockets = new Set<Socket>();
  #timer: NodeJS.Timeout | undefined;
  #cuts = 0;

  constructor(port: number) {
    subscribe("net.client.socket", (message) => {
      const { socket } = message as { socket: Socket };
      socket.once("connect", () => {
        if (socket.remotePort === port) this.#sockets.add(socket);
      });
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  get cuts(): number {
    return this.#cuts;
  }

  /** Cuts each connection at random, after `meanMs` on the average, with whatever is on its way in both directions. */
  start(meanMs: number): void {
    const tickMs = 10;
    this.#timer = setInterval(() => {
      for (const socket of this.#sockets) {
        if (Math.random() >= tickMs / meanMs) continue;
        this.#sockets.delete(socket);
        socket.resetAndDestroy();
        this.#cuts++;
      }
    }, tickMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
