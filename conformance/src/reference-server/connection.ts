import { fromBinary, fromJsonString, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type ClientFrame,
  ClientFramesSchema,
  CloseCode,
  ErrorCode,
  type MessageSchema,
  type ServerFrameSchema,
} from "@fanfare/proto/v1";
import type { WebSocket } from "ws";
import type { Breaks } from "../mutants/mutants.ts";
import type { Form } from "../run/frame-form.ts";
import { encodeFrame } from "./frame-text.ts";
import { shakeHands } from "./handshake.ts";
import { Heartbeat } from "./heartbeat.ts";
import { Refusal } from "./refusal.ts";
import { handleFrame } from "./requests.ts";
import type { ReferenceServer } from "./server.ts";
import type { Session } from "./session.ts";
import { TokenBucket } from "./token-bucket.ts";

type Kind = NonNullable<MessageInitShape<typeof ServerFrameSchema>["kind"]>;
type TimerName = "hello" | "expiry" | "goaway";

/** One WebSocket. */
export class Connection {
  readonly server: ReferenceServer;
  readonly breaks: Breaks;
  readonly form: Form;
  /** Index of the address it came in by. */
  readonly address: number;
  session: Session | undefined;
  goingAway = false;
  handedOver = false;
  /** Ids of the server's pings that are not answered yet. */
  readonly pings = new Set<number>();
  readonly #socket: WebSocket;
  readonly #timers = new Map<TimerName, NodeJS.Timeout>();
  readonly #toldAtMs = new Map<ErrorCode, number>();
  readonly #frames: TokenBucket;
  readonly #bytes: TokenBucket;
  #heartbeat: Heartbeat | undefined;
  #closing = false;

  constructor(server: ReferenceServer, socket: WebSocket, form: Form, address: number) {
    const { limits, timing } = server.settings;
    this.server = server;
    this.breaks = server.breaks;
    this.form = form;
    this.address = address;
    this.#socket = socket;
    this.#frames = new TokenBucket(limits.framesPerSecond, limits.framesPerSecond);
    this.#bytes = new TokenBucket(limits.bytesPerSecond, Math.max(limits.bytesPerSecond, 2 * limits.maxFrameBytes));
    this.helloTimer(timing.helloTimeoutMs);
    socket.on("message", (data: Buffer, isBinary: boolean) => this.#receive(data, isBinary));
    socket.on("ping", () => this.breaks.has("control-frames-are-life") && this.#heartbeat?.received());
    socket.on("error", () => {});
    socket.on("close", (code) => this.#closed(code));
  }

  get isAlive(): boolean {
    return !this.#closing;
  }

  helloTimer(ms: number): void {
    if (this.breaks.has("no-hello-timeout")) return;
    this.timer("hello", ms, () => this.close(CloseCode.HELLO_TIMEOUT, "no hello in time"));
  }

  /** Sets one of the connection's timers; undefined cancels it. */
  timer(name: TimerName, ms?: number, action?: () => void): void {
    clearTimeout(this.#timers.get(name));
    if (ms !== undefined && action !== undefined) this.#timers.set(name, setTimeout(action, Math.min(ms, 2 ** 31 - 1)));
  }

  /** `welcome` was sent. */
  opened(session: Session, intervalMs: number): void {
    this.session = session;
    this.timer("hello");
    this.#heartbeat?.stop();
    this.#heartbeat = new Heartbeat(this, intervalMs, this.server.settings.timing.heartbeatTimeoutMs);
    this.expireAt(session.claims.expiresAtMs);
  }

  expireAt(expiresAtMs: number): void {
    if (this.breaks.has("expiry-ignored")) return;
    this.timer("expiry", Math.max(0, expiresAtMs - Date.now()), () =>
      this.refuse(new Refusal(ErrorCode.TOKEN_EXPIRED, "the token has expired"), CloseCode.TOKEN_EXPIRED),
    );
  }

  send(kind: Kind, id = 0): void {
    if (this.#closing) return;
    this.#socket.send(encodeFrame({ id, kind }, this.form, this.breaks), () => {});
    this.#heartbeat?.sent();
  }

  /** A message of a channel. */
  message(body: MessageInitShape<typeof MessageSchema>): void {
    if (this.breaks.has("goaway-stops-service") && this.goingAway) return;
    if (!this.breaks.has("latest-first")) return this.send({ case: "message", value: body });
    setTimeout(() => this.send({ case: "message", value: body }), Number(body.seq) % 2 === 1 ? 30 : 0);
  }

  /** Answers a frame with an error: in a reply, or without an id in an error frame. */
  fail(id: number, error: Refusal): void {
    const { value } = error;
    if (id !== 0) return this.send({ case: "reply", value: { result: { case: "error", value } } }, id);
    if (this.breaks.has("no-error-frames")) return;
    const againMs = this.breaks.has("error-frames-once") ? Number.POSITIVE_INFINITY : 1_000;
    const nowMs = performance.now();
    if (nowMs - (this.#toldAtMs.get(error.code) ?? Number.NEGATIVE_INFINITY) < againMs) return;
    this.#toldAtMs.set(error.code, nowMs);
    this.send({ case: "error", value });
  }

  /** Says why in an error frame, and closes. */
  refuse(error: Refusal, code: CloseCode): void {
    this.fail(0, error);
    this.close(code, error.message);
  }

  close(code: number, reason = ""): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#release(code, true);
    if (this.breaks.has("dead-without-code") && code === CloseCode.HEARTBEAT_TIMEOUT) return this.#socket.terminate();
    this.#socket.close(
      this.breaks.has("close-code-of-its-own") && code === CloseCode.DISCONNECTED ? 4999 : code,
      reason,
    );
    setTimeout(() => this.#socket.terminate(), 2_000).unref();
  }

  cut(): void {
    this.#socket.terminate();
  }

  /** Tells the session, if it is still this connection's, that the connection is gone. */
  #release(code: number, byServer: boolean): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#heartbeat?.stop();
    const { session } = this;
    if (session === undefined || session.connection !== this) return;
    const ends: number[] = byServer ? this.server.endingCodes : [4000, 4001];
    const isOver = ends.includes(code) && !(this.breaks.has("client-close-detaches") && !byServer);
    if (isOver) session.app.end(session, "left", CloseCode.DISCONNECTED);
    else session.app.detach(session);
  }

  #closed(code: number): void {
    this.server.connections.delete(this);
    if (this.#closing) return;
    this.#closing = true;
    this.#release(code, false);
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (this.#closing && !(this.handedOver && this.breaks.has("handled-after-handed-over"))) return;
    const { limits } = this.server.settings;
    const size = this.breaks.has("json-size-in-characters") && !isBinary ? data.toString().length : data.length;
    if (size > limits.maxFrameBytes && !this.breaks.has("large-messages")) {
      return this.refuse(new Refusal(ErrorCode.TOO_LARGE, "the message is too large"), CloseCode.TOO_LARGE);
    }
    const frames = this.#decode(data, isBinary);
    if (frames === undefined) return;
    if (frames.length > 0 || !this.breaks.has("empty-messages-are-no-life")) this.#heartbeat?.received();
    if (this.breaks.has("hello-timeout-extended") && this.session === undefined) this.helloTimer(1_500);
    if (frames.length > 1_024 && !this.breaks.has("too-many-frames-handled")) {
      return this.fail(0, new Refusal(ErrorCode.INVALID_ARGUMENT, "too many frames", "frames"));
    }
    const limited = this.#charge(frames.length, data.length);
    for (const frame of this.breaks.has("frames-reversed") ? frames.reverse() : frames) this.#handle(frame, limited);
  }

  #decode(data: Buffer, isBinary: boolean): ClientFrame[] | undefined {
    try {
      if (isBinary !== (this.form === "binary") && !this.breaks.has("text-on-binary"))
        throw new Error("the wrong kind of message");
      if (isBinary) return fromBinary(ClientFramesSchema, data).frames;
      const text = new TextDecoder("utf-8", { fatal: true }).decode(data);
      return fromJsonString(ClientFramesSchema, text, { ignoreUnknownFields: !this.breaks.has("json-members-refused") })
        .frames;
    } catch (error) {
      if (this.breaks.has("malformed-ignored")) return undefined;
      if (this.breaks.has("malformed-untold")) this.close(CloseCode.PROTOCOL_ERROR, "no frames");
      this.refuse(
        new Refusal(ErrorCode.MALFORMED, `no frames: ${String(error)}`.slice(0, 100)),
        CloseCode.PROTOCOL_ERROR,
      );
      return undefined;
    }
  }

  #charge(frames: number, bytes: number): Refusal | undefined {
    if (this.breaks.has("frames-unlimited")) return undefined;
    const { framesPerSecond } = this.server.settings.limits;
    const frameCredit = this.#frames.take(frames);
    const byteCredit = this.#bytes.take(bytes);
    if (frameCredit >= 0 && byteCredit >= 0) return undefined;
    const refusal = new Refusal(ErrorCode.RATE_LIMITED, "too many frames or bytes", "", 100);
    const isFlood = frameCredit < -framesPerSecond || byteCredit < -this.server.settings.limits.bytesPerSecond;
    if (isFlood && !this.breaks.has("flood-never-closed")) this.refuse(refusal, CloseCode.RATE_LIMITED);
    return refusal;
  }

  #handle(frame: ClientFrame, limited: Refusal | undefined): void {
    if (this.session !== undefined) return handleFrame(this, this.session, frame, limited);
    if (this.#closing) return;
    if (frame.kind.case === "hello") return shakeHands(this, frame);
    if (this.breaks.has("frames-before-hello")) return;
    this.refuse(new Refusal(ErrorCode.FAILED_PRECONDITION, "hello comes first"), CloseCode.PROTOCOL_ERROR);
  }
}
