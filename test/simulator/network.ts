import type { Socket, SocketEvents, SocketFactory } from "@fanfare/sdk-core/port";
import type { Random } from "../../server/src/testing/random.ts";
import type { SimulatedProcess } from "../../server/src/testing/simulation/simulated-process.ts";
import type { Simulation } from "../../server/src/testing/simulation/simulation.ts";
import { Wire } from "../../server/src/testing/simulation/wire.ts";
import type { SimulatedNode } from "./simulated-node.ts";
import { SimulatedSocket } from "./simulated-socket.ts";

/** The network between clients and nodes, with a balancer in front that gives connections to the nodes in turn. */
export class Network {
  readonly #simulation: Simulation;
  readonly #random: Random;
  readonly #sockets = new Set<SimulatedSocket>();
  /** Nodes that the balancer knows. It learns late that one has ended. */
  readonly #nodes: SimulatedNode[] = [];
  readonly #swaps: boolean;
  #next = 0;
  #opened = 0;

  /** @param swaps it gives clients some of the nodes' messages in the wrong order */
  constructor(simulation: Simulation, swaps = false) {
    this.#simulation = simulation;
    this.#swaps = swaps;
    this.#random = simulation.random("network");
  }

  addNode(node: SimulatedNode): void {
    this.#nodes.push(node);
  }

  /** The balancer has found out. */
  removeNode(node: SimulatedNode): void {
    const index = this.#nodes.indexOf(node);
    if (index >= 0) this.#nodes.splice(index, 1);
  }

  /** WebSockets that have not ended on both sides. */
  get sockets(): ReadonlySet<SimulatedSocket> {
    return this.#sockets;
  }

  /** Sockets for the client that runs in a process. */
  factory(client: SimulatedProcess): SocketFactory {
    return { open: (_url, subprotocols, events) => this.#open(client, subprotocols, events) };
  }

  socketsOf(process: SimulatedProcess): SimulatedSocket[] {
    return [...this.#sockets].filter((socket) => socket.client === process || socket.server === process);
  }

  /** A process has died: whoever was connected to it hears of it, or nobody does because its machine died with it. */
  processDied(process: SimulatedProcess, isTold: boolean): void {
    for (const socket of this.socketsOf(process)) socket.cut(isTold);
  }

  #open(client: SimulatedProcess, subprotocols: readonly string[], events: SocketEvents): Socket {
    const node = this.#pick();
    const random = this.#simulation.random(`connection ${++this.#opened}`);
    const baseMs = random.between(0.2, random.chance(0.2) ? 60 : 5);
    const wire = () => new Wire(this.#simulation, random, baseMs, baseMs / 2);
    if (node === undefined) return this.#refused(client, events, wire());
    const up = wire();
    const socket = new SimulatedSocket({
      client,
      server: node.process,
      events,
      up,
      down: wire(),
      swaps: this.#swaps,
      onOver: (over) => this.#sockets.delete(over),
    });
    this.#sockets.add(socket);
    up.send(() => {
      if (node.isOver) return socket.cut(true);
      node.process.run(() => {
        // What was lost on the way here is no connection to the node.
        if (!socket.isSevered) node.accept(socket, subprotocols[0] ?? "", client.name);
      });
    });
    return socket.clientSocket;
  }

  #pick(): SimulatedNode | undefined {
    // It looks whether nodes are ready, and does not see at once that one is not.
    const ready = this.#nodes.filter((node) => node.isReady);
    const known = ready.length === 0 || this.#random.chance(0.1) ? this.#nodes : ready;
    if (known.length === 0) return undefined;
    // As a rule in turn; clients do not always come in the order in which they were told to go.
    this.#next += this.#random.chance(0.8) ? 1 : this.#random.below(known.length);
    return known[this.#next % known.length];
  }

  #refused(client: SimulatedProcess, events: SocketEvents, wire: Wire): Socket {
    wire.send(() => client.run(() => events.closed(1006, "")));
    return { send: () => {}, close: () => {}, bufferedBytes: 0 };
  }
}
