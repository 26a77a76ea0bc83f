import { create } from "@bufbuild/protobuf";
import { TraceKind } from "@fanfare/proto/conformance/v1alpha";
import { closeDecision } from "@fanfare/proto/policy";
import {
  type ClientFrame,
  ClientFrameSchema,
  ClientFramesSchema,
  type ServerFrame,
  ServerFrameSchema,
  ServerFramesSchema,
} from "@fanfare/proto/v1";
import type { WebSocket } from "ws";
import type { ClientWatcher } from "../client-rules/client-watcher.ts";
import { decode, encode, type Form, toCaseJson } from "../run/frame-form.ts";
import { Inbox } from "../run/inbox.ts";
import type { Trace } from "../run/trace.ts";

/** Id of the ping at the end of a case. */
const lastPingId = 2_000_000;

/** What a connection needs of its case. */
export interface PeerOptions {
  readonly actor: string;
  readonly trace: Trace;
  /** Unset where a fault proxy stands before it: there the client is watched. */
  readonly watcher: ClientWatcher | undefined;
  readonly nextOrder: () => number;
  /** Answer the client's pings. */
  readonly answersPings: boolean;
}

/** One connection of the client under test, with the runner as its server. */
export class PeerConnection {
  readonly inbox: Inbox;
  endedWith: { readonly code: number; readonly atMs: number } | undefined;
  readonly form: Form;
  readonly #socket: WebSocket;
  readonly #options: PeerOptions;
  /** The runner has begun to close. */
  #closes = false;

  constructor(socket: WebSocket, options: PeerOptions) {
    this.#socket = socket;
    this.#options = options;
    this.form = socket.protocol === "fanfare.v1.json" ? "json" : "binary";
    this.inbox = new Inbox(options.nextOrder);
    this.#note(`accepted, subprotocol ${socket.protocol}`);
    socket.on("message", (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary));
    socket.on("error", () => {});
    socket.on("close", (code, reason) => {
      this.endedWith = { code, atMs: performance.now() };
      if (!this.#closes) options.watcher?.closed(code, reason.toString());
      options.watcher?.ended(false);
      this.#note(`closed with ${code}`);
      this.inbox.end(`until the close with ${code}`);
    });
  }

  /** Not closed by either side. */
  get stands(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  send(frames: ServerFrame[]): void {
    for (const frame of frames) this.#options.watcher?.sent(frame);
    this.#trace(TraceKind.SENT, JSON.stringify(frames.map((frame) => toCaseJson(ServerFrameSchema, frame))));
    this.#socket.send(encode(ServerFramesSchema, create(ServerFramesSchema, { frames }), this.form), () => {});
  }

  sendRaw(data: Uint8Array, isText: boolean): void {
    const preview = isText ? Buffer.from(data).toString("utf8", 0, 400) : Buffer.from(data).toString("hex", 0, 200);
    this.#trace(TraceKind.SENT, `${data.length} bytes of ${isText ? "text" : "binary"}: ${preview}`);
    try {
      for (const frame of decode(ServerFramesSchema, data, this.form).frames) this.#options.watcher?.sent(frame);
    } catch {} // bytes that are no frames are what such a message is for
    this.#socket.send(data, { binary: !isText }, () => {});
  }

  sendWebSocketPing(): void {
    this.#trace(TraceKind.SENT, "a WebSocket ping");
    this.#socket.ping();
  }

  close(code: number): void {
    this.#note(`closes with ${code || "no code"}`);
    this.#closes = true;
    this.#options.watcher?.ended(closeDecision(code).sessionEnds);
    if (code === 0) this.#socket.close();
    else this.#socket.close(code, "the case demands it");
  }

  cut(): void {
    this.#note("cuts the connection");
    this.#closes = true;
    this.#options.watcher?.ended(false);
    this.#socket.terminate();
  }

  stall(): void {
    this.#socket.pause();
  }

  unstall(): void {
    this.#socket.resume();
  }

  /** Everything that the client has sent up to now has come, as a pong shows, or the time is over. */
  async settled(withinMs: number): Promise<void> {
    this.send([
      create(ServerFrameSchema, {
        id: lastPingId,
        kind: { case: "ping", value: { sentAtUs: BigInt(Date.now()) * 1000n } },
      }),
    ]);
    const deadlineMs = performance.now() + withinMs;
    const isAnswered = () => this.inbox.items.some(({ json }) => json.id === lastPingId);
    while (!this.inbox.hasEnded && !isAnswered() && performance.now() < deadlineMs)
      await this.inbox.changed(deadlineMs);
  }

  #receive(data: Buffer, isBinary: boolean): void {
    const { watcher } = this.#options;
    let frames: ClientFrame[];
    try {
      if (isBinary !== (this.form === "binary")) throw new Error(`a ${isBinary ? "binary" : "text"} message`);
      frames = decode(ClientFramesSchema, data, this.form).frames;
    } catch (error) {
      return watcher?.undecodable(String(error));
    }
    const items = frames.map((frame) => toCaseJson(ClientFrameSchema, frame));
    this.#trace(TraceKind.RECEIVED, JSON.stringify(items));
    watcher?.message(data, this.form);
    for (const [i, frame] of frames.entries()) {
      watcher?.received(frame);
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
