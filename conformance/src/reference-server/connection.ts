import type { MessageInitShape } from "@bufbuild/protobuf";
import { CloseCode, ErrorCode, type ServerFrameSchema } from "@fanfare/proto/v1";
import type { WebSocket } from "ws";
import type { Breaks } from "../mutants/mutants.ts";
import type { Form } from "../run/frame-form.ts";
import { Calls } from "./calls.ts";
import { encodeFrame } from "./frame-text.ts";
import { Heartbeat } from "./heartbeat.ts";
import { Inbound } from "./inbound.ts";
import type { MessageBody } from "./message-body.ts";
import { Outbox } from "./outbox.ts";
import { bodyIn, queueingOf } from "./outgoing-message.ts";
import { Refusal } from "./refusal.ts";
import type { ReferenceServer } from "./server.ts";
import type { Session } from "./session.ts";
import { Timers } from "./timers.ts";

type Kind = NonNullable<MessageInitShape<typeof ServerFrameSchema>["kind"]>;

/** One WebSocket. */
export class Connection {
  readonly server: ReferenceServer;
  readonly breaks: Breaks;
  readonly form: Form;
  /** Index of the address it came in by. */
  readonly address: number;
  readonly calls: Calls;
  readonly timers = new Timers<"hello" | "expiry" | "goaway">();
  /** Requests that wait for their reply, by id. */
  readonly pending = new Map<number, object>();
  session: Session | undefined;
  goingAway = false;
  /** Its session has another connection: the code to close with, behind the next message. With a mutant alone. */
  leftWith: CloseCode | undefined;
  /** Of its hello; with a mutant alone. */
  token = "";
  /** Its session has another connection, and it is served on for a while. With a mutant alone. */
  lingers = false;
  readonly #socket: WebSocket;
  readonly #outbox: Outbox;
  readonly #toldAtMs = new Map<ErrorCode, number>();
  #lastId = 0;
  #heartbeat: Heartbeat | undefined;
  #closing = false;

  constructor(server: ReferenceServer, socket: WebSocket, form: Form, address: number) {
    const { limits, timing } = server.settings;
    this.server = server;
    this.breaks = server.breaks;
    this.form = form;
    this.address = address;
    this.calls = new Calls(this.breaks);
    this.#socket = socket;
    this.#outbox = new Outbox({
      socket,
      maxBytes: limits.sendQueueBytes,
      stallMs: limits.sendQueueStallMs,
      breaks: this.breaks,
      dropped: (count) => this.#encode({ case: "dropped", value: { count: BigInt(count) } }, 0),
      onOverflow: () => this.#overflow(),
      onEmpty: () => this.session?.wakeReaders(this),
    });
    this.helloTimer(timing.helloTimeoutMs);
    if (this.breaks.has("ping-before-welcome")) this.send({ case: "ping", value: { sentAtUs: 1n } }, this.nextId());
    const inbound = new Inbound(this, limits);
    socket.on("message", (data: Buffer, isBinary: boolean) => inbound.receive(data, isBinary));
    socket.on("ping", () => this.breaks.has("control-frames-are-life") && this.heard());
    socket.on("error", () => {});
    socket.on("close", (code) => this.#closed(code));
  }

  get isAlive(): boolean {
    return !this.#closing;
  }

  /** Whether messages arrive compressed. */
  get isCompressed(): boolean {
    return this.#socket.extensions !== "";
  }

  /** Whether it takes more of a log. */
  get hasRoom(): boolean {
    return this.#outbox.hasRoom;
  }

  /** An id for a ping or a call of the server. */
  nextId(): number {
    return ++this.#lastId;
  }

  helloTimer(ms: number): void {
    if (this.breaks.has("no-hello-timeout")) return;
    this.timers.set("hello", ms, () => this.close(CloseCode.HELLO_TIMEOUT, "no hello in time"));
  }

  /** `welcome` was sent. */
  opened(session: Session, intervalMs: number): void {
    this.session = session;
    this.timers.clear("hello");
    this.#heartbeat?.stop();
    this.#heartbeat = new Heartbeat(this, intervalMs, this.server.settings.timing.heartbeatTimeoutMs);
    this.expireAt(session.claims.expiresAtMs);
  }

  expireAt(expiresAtMs: number): void {
    if (this.breaks.has("expiry-ignored")) return;
    this.timers.set("expiry", Math.max(0, expiresAtMs - Date.now()), () =>
      this.refuse(new Refusal(ErrorCode.TOKEN_EXPIRED, "the token has expired"), CloseCode.TOKEN_EXPIRED),
    );
  }

  /** The client has shown a sign of life. */
  heard(): void {
    this.#heartbeat?.received();
  }

  send(kind: Kind, id = 0): void {
    if (this.#closing) return;
    this.#outbox.push({ data: this.#encode(kind, id), volatile: false });
    this.#heartbeat?.sent();
  }

  /** A message of a channel. `substitute` takes its place if it expires before it is sent. */
  message(body: MessageBody, substitute?: Kind): void {
    const { breaks, form } = this;
    if (this.#closing || (breaks.has("goaway-stops-service") && this.goingAway)) return;
    const sent = bodyIn(form, body, breaks);
    if (sent === undefined) return;
    const data = this.#encode({ case: "message", value: sent }, 0);
    const instead = substitute && this.#encode(substitute, 0);
    const push = () => this.#outbox.push({ ...queueingOf(body), data, substitute: instead });
    this.#heartbeat?.sent();
    if (breaks.has("latest-first")) setTimeout(push, body.seq % 2n === 1n ? 30 : 0);
    else push();
  }

  /** Answers a frame with an error: in a reply, or without an id in an error frame. */
  fail(id: number, error: Refusal): void {
    const value = this.breaks.has("errors-too-long") ? { ...error.value, message: "x".repeat(2_000) } : error.value;
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
    this.close(
      code,
      this.breaks.has("close-reasons-repeat-tokens") ? `${this.token}: ${error.message}` : error.message,
    );
  }

  /** Closes behind everything that waits to be sent. */
  close(code: number, reason = ""): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#outbox.flush();
    this.#release(code, true);
    if (this.breaks.has("dead-without-code") && code === CloseCode.HEARTBEAT_TIMEOUT) return this.#socket.terminate();
    const isOdd = this.breaks.has("close-code-of-its-own") && code === CloseCode.DISCONNECTED;
    this.#socket.close(isOdd ? 4999 : code, reason.slice(0, 100));
    setTimeout(() => this.#socket.terminate(), 2_000).unref();
  }

  /** Throws away what waits to be sent; with a mutant alone. */
  forgetWaiting(): void {
    this.#outbox.forget();
  }

  cut(): void {
    this.#socket.terminate();
  }

  #overflow(): void {
    this.#outbox.close();
    this.close(CloseCode.SLOW_CONSUMER, "too much waits to be read");
  }

  #encode(kind: Kind, id: number): Uint8Array | string {
    return encodeFrame({ id, kind }, this.form, this.breaks);
  }

  /** Tells the session, if it is still this connection's, that the connection is gone. */
  #release(code: number, byServer: boolean): void {
    this.timers.clearAll();
    this.#heartbeat?.stop();
    this.#outbox.close();
    this.calls.end();
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
}
