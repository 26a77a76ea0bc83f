import { create, toBinary, toJson } from "@bufbuild/protobuf";
import { TraceKind } from "@fanfare/proto/conformance/v1alpha";
import {
  type ClientFrame,
  ClientFrameSchema,
  ClientFramesSchema,
  type Goaway,
  type ServerFrame,
  ServerFrameSchema,
  ServerFramesSchema,
} from "@fanfare/proto/v1";
import type { WebSocket } from "ws";
import { ServerWatcher } from "../rules/server-watcher.ts";
import type { CaseFailure } from "./failure.ts";
import { decode, encode, type Form, subprotocolOf, toCaseJson } from "./frame-form.ts";
import { Inbox, type Item } from "./inbox.ts";
import { type DialOptions, openSocket } from "./open-socket.ts";
import type { Trace } from "./trace.ts";

/** What a connection needs of its case. */
export interface ConnectionContext {
  readonly actor: string;
  readonly trace: Trace;
  readonly claims: ReadonlySet<string>;
  readonly nextOrder: () => number;
  /** A rule that holds everywhere was broken. */
  readonly broken: (failure: CaseFailure) => void;
}

/** How a connection ended. */
export interface Ended {
  /** 1006 without a close. */
  readonly code: number;
  readonly reason: string;
  readonly atMs: number;
}

/** One WebSocket of an actor who plays a client: raw, so that it can break every rule on purpose. */
export class ClientConnection {
  readonly form: Form;
  readonly inbox: Inbox;
  readonly watcher: ServerWatcher;
  readonly ended: Promise<Ended>;
  endedWith: Ended | undefined;
  /** The newest `goaway`. */
  goaway: Goaway | undefined;
  readonly #socket: WebSocket;
  readonly #context: ConnectionContext;
  readonly #answersPings: boolean;

  private constructor(socket: WebSocket, options: DialOptions, context: ConnectionContext) {
    this.#socket = socket;
    this.#context = context;
    this.#answersPings = options.answersPings;
    this.form = formOf(socket.protocol) ?? options.form;
    this.inbox = new Inbox(context.nextOrder);
    this.watcher = new ServerWatcher(this.form, context.claims, context.broken);
    const { promise, resolve } = Promise.withResolvers<Ended>();
    this.ended = promise;
    socket.on("message", (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary));
    socket.on("error", () => {}); // `close` follows
    socket.on("close", (code, reason) => {
      this.endedWith = { code, reason: reason.toString(), atMs: performance.now() };
      this.#note(`closed with ${code} ${reason.toString()}`);
      this.watcher.closed(code, reason.toString());
      this.inbox.end(`until the close with ${code}`);
      resolve(this.endedWith);
    });
  }

  /** @throws Refused, or CaseFailure when nobody answers */
  static async dial(options: DialOptions, context: ConnectionContext): Promise<ClientConnection> {
    // Made at `open` and not a turn later, so that what comes right behind the upgrade is not missed.
    const connection = await openSocket(options, (socket) => new ClientConnection(socket, options, context));
    const { protocol, extensions } = connection.#socket;
    connection.#note(`opened ${options.url}, subprotocol ${protocol || "none"}, extensions ${extensions || "none"}`);
    return connection;
  }

  /** The selected subprotocol. */
  get subprotocol(): string {
    return this.#socket.protocol;
  }

  /** Sends frames in one WebSocket message. */
  send(frames: ClientFrame[], concatenated = false): void {
    for (const frame of frames) this.watcher.sent(frame);
    const message = create(ClientFramesSchema, { frames });
    this.#trace(TraceKind.SENT, JSON.stringify(frames.map((frame) => toJson(ClientFrameSchema, frame))));
    if (!concatenated) return this.#write(encode(ClientFramesSchema, message, this.form));
    const parts = frames.map((frame) => toBinary(ClientFramesSchema, create(ClientFramesSchema, { frames: [frame] })));
    this.#write(Buffer.concat(parts));
  }

  /** Sends one WebSocket message as it is. What can be read of it counts as sent. */
  sendRaw(data: Uint8Array, isText: boolean): void {
    const preview = isText ? Buffer.from(data).toString("utf8", 0, 400) : Buffer.from(data).toString("hex", 0, 200);
    this.#trace(TraceKind.SENT, `${data.length} bytes of ${isText ? "text" : "binary"}: ${preview}`);
    try {
      for (const frame of decode(ClientFramesSchema, data, isText ? "json" : "binary").frames) this.watcher.sent(frame);
    } catch {} // bytes that are no frames are what such a message is for
    this.#socket.send(data, { binary: !isText }, () => {});
  }

  sendWebSocketPing(): void {
    this.#trace(TraceKind.SENT, "a WebSocket ping");
    this.#socket.ping();
  }

  close(code: number): void {
    this.#note(`closes with ${code || "no code"}`);
    if (code === 0) this.#socket.close();
    else this.#socket.close(code, "");
  }

  /** Ends the TCP connection. */
  cut(): void {
    this.#note("cuts the connection");
    this.#socket.terminate();
  }

  stall(): void {
    this.#note("reads no more");
    this.#socket.pause();
  }

  unstall(): void {
    this.#note("reads again");
    this.#socket.resume();
  }

  #write(data: Uint8Array | string): void {
    this.#socket.send(data, () => {});
  }

  #receive(data: Buffer, isBinary: boolean): void {
    let frames: ServerFrame[];
    try {
      if (isBinary !== (this.form === "binary")) throw new Error(`a ${isBinary ? "binary" : "text"} message`);
      frames = decode(ServerFramesSchema, data, this.form).frames;
    } catch (cause) {
      return this.watcher.violate("FF-TR-008", `no ServerFrames came: ${String(cause)}`);
    }
    const items = frames.map((frame) => toCaseJson(ServerFrameSchema, frame));
    this.#trace(TraceKind.RECEIVED, JSON.stringify(items));
    const json = this.form === "json" ? { json: JSON.parse(data.toString()) as unknown } : {};
    this.watcher.message({ bytes: data.length, frames: frames.length, ...json });
    for (const [i, frame] of frames.entries()) {
      this.watcher.received(frame);
      if (frame.kind.case === "goaway") this.goaway = frame.kind.value;
      this.inbox.add(items[i] as Item["json"]);
      if (frame.kind.case === "ping" && this.#answersPings) this.#answer(frame.id, frame.kind.value.sentAtUs);
    }
  }

  #answer(id: number, pingSentAtUs: bigint): void {
    const nowUs = BigInt(Date.now()) * 1000n;
    const value = { pingSentAtUs, receivedAtUs: nowUs, sentAtUs: nowUs };
    this.send(create(ClientFramesSchema, { frames: [{ id, kind: { case: "pong", value } }] }).frames);
  }

  #note(text: string): void {
    this.#trace(TraceKind.CONNECTION, text);
  }

  #trace(kind: TraceKind, text: string): void {
    this.#context.trace.add(this.#context.actor, kind, text);
  }
}

function formOf(subprotocol: string): Form | undefined {
  return (["binary", "json"] as const).find((form) => subprotocolOf[form] === subprotocol);
}
