import type { Socket, SocketEvents, SocketFactory } from "../ports.ts";
import { decode, encode, type Init } from "../wire/codec.ts";
import type { ClientFrame, ServerFrame } from "../wire/schema.ts";
import { settled } from "./virtual-clock.ts";

/** The kinds of frames of a client. */
export type ClientKind = Exclude<keyof ClientFrame, "id">;

/** One WebSocket, seen from the server. */
export class FakeSocket implements Socket {
  readonly url: string;
  /** What the client sent: one entry a WebSocket message. */
  readonly messages: ClientFrame[][] = [];
  /** How the client closed it. */
  closedBy: { code: number; reason: string } | undefined;
  bufferedBytes = 0;
  readonly #events: SocketEvents;
  #open = false;
  #ended = false;

  constructor(url: string, events: SocketEvents) {
    this.url = url;
    this.#events = events;
  }

  send(bytes: Uint8Array): void {
    if (this.#open) this.messages.push(decode("ClientFrames", bytes.slice()).frames);
  }

  close(code: number, reason: string): void {
    this.#open = false;
    this.closedBy ??= { code, reason };
  }

  /** The WebSocket stands. */
  async accept(subprotocol = "fanfare.v1.proto"): Promise<void> {
    this.#open = true;
    this.#events.opened(subprotocol);
    await settled();
  }

  /** Sends frames in one WebSocket message. */
  async say(...frames: Init<ServerFrame>[]): Promise<void> {
    this.deliver(encode("ServerFrames", { frames }));
    await settled();
  }

  /** Delivers a WebSocket message, before anything that is promised happens. */
  deliver(message: Uint8Array | string): void {
    if (!this.#ended) this.#events.message(message);
  }

  /** Ends the connection. */
  async end(code = 1006, reason = "", refusal?: { status: number; retryAfterMs: number }): Promise<void> {
    this.#open = false;
    this.#ended = true;
    this.#events.closed(code, reason, refusal);
    await settled();
  }

  /** Frames of one kind that the client has sent, in order. */
  sent<K extends ClientKind>(kind: K): { id: number; frame: NonNullable<ClientFrame[K]> }[] {
    return this.messages.flat().flatMap((frame) => {
      const value = frame[kind];
      return value === undefined ? [] : [{ id: frame.id, frame: value }];
    });
  }

  /** The newest frame of a kind. Throws if there is none. */
  last<K extends ClientKind>(kind: K): { id: number; frame: NonNullable<ClientFrame[K]> } {
    const newest = this.sent(kind).at(-1);
    if (newest === undefined) throw new Error(`the client has sent no ${kind}`);
    return newest;
  }
}

/** Gives out sockets whose other end a test plays. */
export class FakeNetwork implements SocketFactory {
  readonly sockets: FakeSocket[] = [];

  open(url: string, _subprotocols: readonly string[], events: SocketEvents): Socket {
    const socket = new FakeSocket(url, events);
    this.sockets.push(socket);
    return socket;
  }

  /** The newest socket. Throws if none was opened. */
  get newest(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) throw new Error("no socket was opened");
    return socket;
  }
}
