import { create, fromBinary, fromJson, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import {
  type ClientFrame,
  ClientFrameSchema,
  ClientFramesSchema,
  type ServerFrame,
  ServerFramesSchema,
} from "@fanfare/proto/v1";
import { WebSocket } from "ws";
import type { ClientBreaks } from "../mutants/client-mutants.ts";
import { brokenJson, readStrictly, withoutNulls } from "./json-form.ts";

/** How a connection has ended. */
export interface Ended {
  /** 1006 without a close. */
  readonly code: number;
  /** The HTTP status that refused the upgrade; 0: it was not refused. */
  readonly status: number;
}

/** What a connection tells. Nothing comes after `ended`. */
export interface ConnectionEvents {
  opened(connection: Connection): void;
  frame(connection: Connection, frame: ServerFrame): void;
  ended(connection: Connection, ended: Ended): void;
}

/** How long a `welcome` may take, in milliseconds. */
const welcomeMs = 15_000;
/** The greatest message that a server may send in the JSON form. */
const maxPayload = 8 * 1024 * 1024;

/** One WebSocket: frames in and out, in the form that the server has chosen, and an ear for silence. */
export class Connection {
  /** Bytes that the server takes in one message; it says so in `welcome`. */
  maxFrameBytes = Number.POSITIVE_INFINITY;
  readonly #socket: WebSocket;
  readonly #events: ConnectionEvents;
  readonly #breaks: ClientBreaks;
  #silenceMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #status = 0;
  /** Signs of life that have come. */
  #signs = 0;
  #over = false;

  constructor(url: string, subprotocols: readonly string[], events: ConnectionEvents, breaks: ClientBreaks) {
    this.#events = events;
    this.#breaks = breaks;
    this.#socket = new WebSocket(url, breaks.has("no-subprotocol") ? [] : [...subprotocols], {
      perMessageDeflate: false,
      maxPayload: breaks.has("small-messages-alone") ? 1024 * 1024 : maxPayload,
    });
    this.#timer = setTimeout(() => this.#fail(1000), welcomeMs);
    this.#socket.on("open", () => {
      if (breaks.has("compression-demanded") && this.#socket.extensions === "") return this.#fail(4001);
      if (!this.#over) events.opened(this);
    });
    this.#socket.on("message", (data: Buffer, isBinary) => this.#received(data, isBinary));
    this.#socket.on("ping", () => this.#breaks.has("control-frames-are-life") && this.#alive());
    this.#socket.on("unexpected-response", (_request, { statusCode = 0 }) => {
      this.#status = statusCode;
      this.#socket.terminate();
    });
    this.#socket.on("error", () => {}); // `close` follows
    this.#socket.on("close", (code) => this.#end({ code, status: this.#status }));
  }

  get #isJson(): boolean {
    return this.#socket.protocol === "fanfare.v1.json";
  }

  /** Takes the connection for dead when nothing has come for that long. */
  listen(silenceMs: number): void {
    this.#silenceMs = this.#breaks.has("dead-too-soon") ? silenceMs / 3 : silenceMs;
    this.#alive();
  }

  /** Sends one frame. False: it is larger than the server takes. */
  send(frame: ClientFrame): boolean {
    const message = create(ClientFramesSchema, { frames: [frame] });
    const json = this.#breaks.has("bare-frames")
      ? toJson(ClientFrameSchema, frame, { enumAsInteger: true })
      : toJson(ClientFramesSchema, message, { enumAsInteger: true });
    const text = this.#isJson ? brokenJson(json, this.#breaks) : "";
    const data = this.#isJson ? Buffer.from(text) : toBinary(ClientFramesSchema, message);
    const size = this.#isJson && this.#breaks.has("json-size-in-characters") ? text.length : data.length;
    const most = this.#breaks.has("limits-of-its-own") ? 65_536 : this.maxFrameBytes;
    if (size > most && !this.#breaks.has("large-messages-sent")) return false;
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(data, { binary: !this.#isJson }, () => {});
    return true;
  }

  /** Closes, and hears nothing more. */
  leave(code: number): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#socket.close(code);
    setTimeout(() => this.#socket.terminate(), 1_000).unref();
  }

  /** Closes because of what the other side did, which ends the connection at once. */
  #fail(code: number): void {
    this.#socket.close(this.#breaks.has("closes-with-codes-of-servers") ? 4105 : code);
    this.#end({ code, status: 0 });
  }

  /** Ends the TCP connection. */
  drop(): void {
    this.#socket.terminate();
  }

  #end(ended: Ended): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#events.ended(this, ended);
  }

  #alive(): void {
    this.#signs++;
    if (this.#silenceMs === 0 || this.#over) return;
    clearTimeout(this.#timer);
    if (this.#breaks.has("never-dead")) return;
    // After a pause the timer is overdue, and what has come meanwhile is read in the turn after it.
    this.#timer = setTimeout(() => {
      const last = this.#signs;
      setImmediate(() => setImmediate(() => this.#signs === last && this.#fail(4101)));
    }, this.#silenceMs);
  }

  #received(data: Buffer, isBinary: boolean): void {
    if (this.#over) return;
    let frames: ServerFrame[];
    try {
      frames = this.#decode(data, isBinary);
    } catch {
      if (!this.#breaks.has("malformed-ignored")) this.#fail(4001);
      return;
    }
    if (frames.length > 0 || !this.#breaks.has("empty-messages-are-no-life")) this.#alive();
    if (this.#breaks.has("frames-reversed")) frames.reverse();
    for (const frame of frames) if (!this.#over) this.#events.frame(this, frame);
  }

  #decode(data: Buffer, isBinary: boolean): ServerFrame[] {
    const kindMatters = !this.#breaks.has("kind-of-message-unchecked");
    if (kindMatters && isBinary === this.#isJson) throw new Error("the wrong kind of message");
    if (isBinary) return fromBinary(ServerFramesSchema, data).frames;
    const json = JSON.parse(data.toString()) as JsonValue;
    readStrictly(json, this.#breaks);
    const ignoreUnknownFields = !this.#breaks.has("json-unknown-refused");
    return fromJson(ServerFramesSchema, withoutNulls(json), { ignoreUnknownFields }).frames;
  }
}
