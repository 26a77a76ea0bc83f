import type { Socket, SocketEvents, SocketFactory } from "@fanfare/sdk-core/port";
import { nodeSockets } from "../../sdk-node/src/node-socket.ts";

/** The nodes that a load balancer sends new connections to, one after the other, as it would: those that are known to be down are left out. */
export class Balancer implements SocketFactory {
  readonly #urls: () => readonly string[];
  #next = 0;

  /** @param urls of the nodes that are up, `ws://host:port` */
  constructor(urls: () => readonly string[]) {
    this.#urls = urls;
  }

  /** The path of the URL counts, its host does not. */
  open(url: string, subprotocols: readonly string[], events: SocketEvents): Socket {
    const urls = this.#urls();
    const { pathname } = new URL(url);
    const target = urls[this.#next++ % Math.max(1, urls.length)];
    return nodeSockets.open(target === undefined ? url : `${target}${pathname}`, subprotocols, events);
  }
}
