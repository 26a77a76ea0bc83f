import { EventEmitter } from "node:events";
import type { Socket, SocketEvents } from "@fanfare/sdk-core/port";
import type { WritableSocket } from "../../server/src/gateway/send-queue.ts";
import type { WebSocketEvents, WebSocketPort } from "../../server/src/gateway/web-socket-port.ts";
import type { SimulatedProcess } from "../../server/src/testing/simulation/simulated-process.ts";
import type { Wire } from "../../server/src/testing/simulation/wire.ts";
import { messagesIn } from "./web-socket-frames.ts";

/** Bytes on their way to a client that the network takes before it holds up the node's writes. */
const windowBytes = 16 * 1024;

interface Outgoing {
  readonly data: Uint8Array;
  readonly taken: ((error?: Error | null) => void) | undefined;
  /** Behind the data the WebSocket is closed. */
  readonly close?: { readonly code: number; readonly reason: string };
}

/**
 * Both ends of one WebSocket between two simulated processes. The node's end writes whole WebSocket messages to the socket below, as the
 * gateway does.
 */
export class SimulatedSocket {
  readonly client: SimulatedProcess;
  readonly server: SimulatedProcess;
  readonly #events: SocketEvents;
  readonly #up: Wire;
  readonly #down: Wire;
  readonly #emitter = new EventEmitter<WebSocketEvents>();
  #waiting: Outgoing[] = [];
  #waitingBytes = 0;
  #inFlightBytes = 0;
  #unread: Outgoing[] = [];
  readonly #swaps: boolean;
  #taken = 0;
  #kept: Outgoing | undefined;
  #isReading = true;
  #clientIsOver = false;
  #serverIsOver = false;
  #isClosing = false;
  /** Nothing arrives any more, on either side. */
  #isSevered = false;
  readonly #onOver: (socket: SimulatedSocket) => void;

  constructor(options: {
    client: SimulatedProcess;
    server: SimulatedProcess;
    events: SocketEvents;
    up: Wire;
    down: Wire;
    /** Every tenth of the node's messages comes behind the next one. */
    swaps: boolean;
    onOver: (socket: SimulatedSocket) => void;
  }) {
    this.client = options.client;
    this.server = options.server;
    this.#events = options.events;
    this.#up = options.up;
    this.#down = options.down;
    this.#swaps = options.swaps;
    this.#onOver = options.onOver;
  }

  get isOver(): boolean {
    return this.#clientIsOver && this.#serverIsOver;
  }

  /** The network between them is gone. */
  get isSevered(): boolean {
    return this.#isSevered;
  }

  /** What the node writes to. */
  get writable(): WritableSocket {
    const waiting = () => this.#waitingBytes;
    return {
      get writableLength() {
        return waiting();
      },
      write: (data, taken) => this.#write({ data, taken }),
    };
  }

  /** The node's WebSocket. */
  get webSocket(): WebSocketPort {
    return {
      on: (event, listener) => this.#emitter.on(event, listener as never),
      close: (code, reason) => this.#closeByServer(code, reason),
      terminate: () => this.#terminate(),
    };
  }

  /** The client's WebSocket. */
  get clientSocket(): Socket {
    return {
      send: (bytes) => {
        if (this.#clientIsOver) return;
        const data = Buffer.from(bytes); // the writer may use its buffer again
        this.#arriveAtServer(() => this.#emitter.emit("message", data, true));
      },
      close: (code, reason) => this.#closeByClient(code, reason),
      bufferedBytes: 0,
    };
  }

  /** The upgrade is answered. */
  opened(subprotocol: string): void {
    this.#arriveAtClient(() => this.#events.opened(subprotocol));
  }

  /** The client's machine reads no more, or again. */
  setReading(isReading: boolean): void {
    this.#isReading = isReading;
    if (!isReading) return;
    for (const outgoing of this.#unread.splice(0)) this.#take(outgoing);
  }

  /** The network between them is gone. Told: both ends hear of it soon. Otherwise neither ever does. */
  cut(isTold: boolean): void {
    if (this.#isSevered) return;
    this.#isSevered = true;
    if (!isTold) return;
    const { simulation } = this.client;
    simulation.after(this.#down.latencyMs(), () => this.client.run(() => this.#endClient(1006, "")));
    simulation.after(this.#up.latencyMs(), () => this.server.run(() => this.#endServer(1006)));
  }

  #write(outgoing: Outgoing): boolean {
    if (this.#serverIsOver) return false;
    this.#waiting.push(outgoing);
    this.#waitingBytes += outgoing.data.length;
    this.#pump();
    return this.#waitingBytes === 0;
  }

  #pump(): void {
    while (this.#waiting.length > 0 && this.#inFlightBytes < windowBytes) {
      const next = this.#waiting.shift() as Outgoing;
      const { length } = next.data;
      this.#waitingBytes -= length;
      this.#inFlightBytes += length;
      const { taken } = next;
      if (taken !== undefined) this.server.simulation.after(0, () => this.server.run(() => taken()));
      this.#down.send(() => {
        if (!this.#isSevered) this.#arrives(next);
      });
    }
  }

  #arrives(outgoing: Outgoing): void {
    if (this.#swaps && ++this.#taken % 10 === 0) this.#kept = outgoing;
    else this.#take(outgoing);
    if (this.#kept === undefined || this.#kept === outgoing) return;
    this.#take(this.#kept);
    this.#kept = undefined;
  }

  /** The client's machine gets it; the client, when it reads. */
  #take(outgoing: Outgoing): void {
    if (!this.#isReading) return void this.#unread.push(outgoing);
    const { data, close } = outgoing;
    this.#inFlightBytes -= data.length;
    this.#pump();
    this.client.run(() => {
      if (this.#clientIsOver) return;
      for (const payload of messagesIn(data)) {
        if (!this.#clientIsOver) this.#events.message(payload);
      }
      if (close === undefined) return;
      this.#endClient(close.code, close.reason);
      this.#arriveAtServer(() => this.#endServer(close.code));
    });
  }

  #arriveAtClient(callback: () => void): void {
    this.#down.send(() => {
      if (this.#isSevered) return;
      this.client.run(() => {
        if (!this.#clientIsOver) callback();
      });
    });
  }

  #arriveAtServer(callback: () => void): void {
    this.#up.send(() => {
      if (this.#isSevered) return;
      this.server.run(() => {
        if (!this.#serverIsOver) callback();
      });
    });
  }

  #closeByServer(code: number, reason: string): void {
    if (this.#isClosing || this.#serverIsOver) return;
    this.#isClosing = true;
    this.#emitter.emit("closing", code, "server");
    this.#write({ data: new Uint8Array(0), taken: undefined, close: { code, reason } });
  }

  #closeByClient(code: number, reason: string): void {
    if (this.#clientIsOver) return;
    this.#arriveAtServer(() => {
      if (!this.#isClosing) {
        this.#isClosing = true;
        this.#emitter.emit("closing", code, "client");
      }
      this.#endServer(code);
      this.#arriveAtClient(() => this.#endClient(code, reason));
    });
  }

  #terminate(): void {
    if (this.#serverIsOver) return;
    const { simulation } = this.server;
    simulation.after(0, () => this.server.run(() => this.#endServer(1006)));
    this.#arriveAtClient(() => this.#endClient(1006, ""));
  }

  #endClient(code: number, reason: string): void {
    if (this.#clientIsOver) return;
    this.#clientIsOver = true;
    this.#events.closed(code, reason);
    if (this.isOver) this.#onOver(this);
  }

  #endServer(code: number): void {
    if (this.#serverIsOver) return;
    this.#serverIsOver = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#emitter.emit("close", code);
    if (this.isOver) this.#onOver(this);
  }
}
