import { create } from "@bufbuild/protobuf";
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
import { decode, encode, type Form, toCaseJson } from "../run/frame-form.ts";
import { Inbox } from "../run/inbox.ts";
import type { Trace } from "../run/trace.ts";
import { type ClientHistory, ClientWatcher } from "./client-watcher.ts";

/** What a connection needs of its case. */
export interface PeerOptions {
  readonly actor: string;
  readonly trace: Trace;
  readonly history: ClientHistory;
  readonly nextOrder: () => number;
  /** Answer the client's pings. */
  readonly answersPings: boolean;
}

/** One connection of the client under test, with the runner as its server. */
export class PeerConnection {
  readonly inbox: Inbox;
  endedWith: { readonly code: number; readonly atMs: number } | undefined;
  goaway: Goaway | undefined;
  readonly form: Form;
  readonly #socket: WebSocket;
  readonly #watcher: ClientWatcher;
  readonly #options: PeerOptions;
  /** The runner has begun to close. */
  #closes = false;

  constructor(socket: WebSocket, options: PeerOptions) {
    this.#socket = socket;
    this.#options = options;
    this.form = socket.protocol === "fanfare.v1.json" ? "json" : "binary";
    this.inbox = new Inbox(options.nextOrder);
    this.#watcher = new ClientWatcher(options.history);
    this.#note(`accepted, subprotocol ${socket.protocol}`);
    socket.on("message", (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary));
    socket.on("error", () => {});
    socket.on("close", (code) => {
      this.endedWith = { code, atMs: performance.now() };
      if (!this.#closes) this.#watcher.closed(code);
      this.#note(`closed with ${code}`);
      this.inbox.end(`until the close with ${code}`);
    });
  }

  /** Not closed by either side. */
  get stands(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  send(frames: ServerFrame[]): void {
    for (const frame of frames) {
      this.#watcher.sent(frame);
      if (frame.kind.case === "goaway") this.goaway = frame.kind.value;
    }
    this.#trace(TraceKind.SENT, JSON.stringify(frames.map((frame) => toCaseJson(ServerFrameSchema, frame))));
    this.#socket.send(encode(ServerFramesSchema, create(ServerFramesSchema, { frames }), this.form), () => {});
  }

  sendRaw(data: Uint8Array, isText: boolean): void {
    this.#trace(TraceKind.SENT, `${data.length} bytes of ${isText ? "text" : "binary"}`);
    this.#socket.send(data, { binary: !isText }, () => {});
  }

  close(code: number): void {
    this.#note(`closes with ${code || "no code"}`);
    this.#closes = true;
    if (code === 0) this.#socket.close();
    else this.#socket.close(code, "the case demands it");
  }

  cut(): void {
    this.#closes = true;
    this.#socket.terminate();
  }

  stall(): void {
    this.#socket.pause();
  }

  unstall(): void {
    this.#socket.resume();
  }

  #receive(data: Buffer, isBinary: boolean): void {
    let frames: ClientFrame[];
    try {
      if (isBinary !== (this.form === "binary")) throw new Error(`a ${isBinary ? "binary" : "text"} message`);
      frames = decode(ClientFramesSchema, data, this.form).frames;
    } catch (error) {
      return this.#options.history.violate("FF-TR-008", `no ClientFrames came: ${String(error)}`);
    }
    const items = frames.map((frame) => toCaseJson(ClientFrameSchema, frame));
    this.#trace(TraceKind.RECEIVED, JSON.stringify(items));
    this.#watcher.message(data.length);
    for (const [i, frame] of frames.entries()) {
      this.#watcher.received(frame);
      this.inbox.add(items[i] ?? {});
      if (frame.kind.case === "ping" && this.#options.answersPings) this.#answer(frame.id, frame.kind.value.sentAtUs);
    }
  }

  #answer(id: number, pingSentAtUs: bigint): void {
    const nowUs = BigInt(Date.now()) * 1000n;
    const value = { pingSentAtUs, receivedAtUs: nowUs, sentAtUs: nowUs };
    this.send(create(ServerFramesSchema, { frames: [{ id, kind: { case: "pong", value } }] }).frames);
  }

  #note(text: string): void {
    this.#trace(TraceKind.CONNECTION, text);
  }

  #trace(kind: TraceKind, text: string): void {
    this.#options.trace.add(this.#options.actor, kind, text);
  }
}
