import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type ClientFrame,
  CloseCode,
  ErrorCode,
  GoawayReason,
  type Hello,
  type ServerFrameSchema,
} from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";
import type { Session } from "../hub/session.ts";
import type { SessionLink } from "../hub/session-link.ts";
import { encodeFrame } from "../wire/frame-encoding.ts";
import type { OutboundFrame } from "../wire/outbound-frame.ts";
import { ChannelGates } from "./channel-gates.ts";
import { closeCodeOf, endsSession } from "./close-code.ts";
import { decodeFrames, frameViolation, maxFrames } from "./frame-codec.ts";
import type { GatewayApp, GatewayContext } from "./gateway-context.ts";
import { HeartbeatTimer } from "./heartbeat-timer.ts";
import { InboundLimits } from "./inbound-limits.ts";
import type { FrameFormat } from "./join-frames.ts";
import { NamedTimers } from "./named-timers.ts";
import { SendQueue, type WritableSocket } from "./send-queue.ts";
import type { WebSocketPort } from "./web-socket-port.ts";

/** What is made of a connection's frames. */
export interface FrameHandlers {
  /** Answers a valid `hello`: with `welcome`, or by closing. */
  greet(connection: Connection, hello: Hello): Promise<void>;
  /**
   * Handles one frame of an open connection. Never throws.
   * @param limited the connection has sent too much: what requests are answered with
   */
  handle(connection: Connection, frame: ClientFrame, limited?: FanfareError): void;
  /** Handles one frame that has waited for another. Never throws. */
  handleWaiting(connection: Connection, frame: ClientFrame): void;
}

/** What a connection begins with. */
export interface ConnectionOptions {
  readonly handlers: FrameHandlers;
  readonly context: GatewayContext;
  readonly webSocket: WebSocketPort;
  /** The socket below the WebSocket, for writes of frames that are shared between connections. */
  readonly socket: WritableSocket;
  readonly format: FrameFormat;
  /** The page's origin; undefined for clients that are no browser. */
  readonly pageOrigin: string | undefined;
  readonly remoteAddress: string;
  /** Index of the listener it came in by. */
  readonly listener: number;
}

/** How long a peer may take to answer the close, in milliseconds. */
export const closeGraceMs = 2_000;
/**
 * How far ahead the expiry of a token is waited for at once, and the step that the rest is rounded up to, in milliseconds. Node keeps a list
 * for each different delay until that delay has passed, also when its timers were cancelled: delays to the millisecond of tokens that live
 * for hours would leave millions of them behind.
 */
const expiryLookMs = 60_000;
const expiryStepMs = 100;

/**
 * One WebSocket, from upgrade to close.
 *
 * | state | event | next |
 * |---|---|---|
 * | awaiting-hello | a valid `hello` | handshaking |
 * | awaiting-hello | anything else, or the hello timeout | closing |
 * | handshaking | token verified, session there | open (`welcome` is the first frame) |
 * | handshaking | refused, or another frame | closing |
 * | open | frames | open; requests are handled in their order |
 * | open | protocol error, silence, overflow, token expiry, kick, hand-over, drain deadline | closing |
 * | any | the socket is gone | closed |
 */
export class Connection implements SessionLink {
  readonly context: GatewayContext;
  readonly format: FrameFormat;
  readonly pageOrigin: string | undefined;
  readonly remoteAddress: string;
  readonly listener: number;
  readonly queue: SendQueue;
  readonly pendingRequests = new Set<number>();
  readonly gates: ChannelGates;
  /** Refreshes that wait, and the end of the last one. */
  readonly refreshes = { count: 0, last: Promise.resolve() };
  clientInfo = "";
  goingAway = false;
  /** It was closed so that its session ends, or the one that it was about to take up. */
  isOver = false;
  /** Set while open, and afterwards. */
  session: Session | undefined;
  app: GatewayApp | undefined;
  #state: "awaiting-hello" | "handshaking" | "open" | "closing" | "closed" = "awaiting-hello";
  readonly #webSocket: WebSocketPort;
  readonly #handlers: FrameHandlers;
  readonly #inbound: InboundLimits;
  readonly #errorFrames = new Map<ErrorCode, number>();
  readonly #timers: NamedTimers<"hello" | "expiry" | "goaway" | "close">;
  #heartbeat: HeartbeatTimer | undefined;
  #closeCode = 0;
  readonly #gone = Promise.withResolvers<void>();

  constructor(options: ConnectionOptions) {
    const { context, webSocket } = options;
    const { config, clock, counters, scheduler } = context;
    this.context = context;
    this.format = options.format;
    this.pageOrigin = options.pageOrigin;
    this.remoteAddress = options.remoteAddress;
    this.listener = options.listener;
    this.#webSocket = webSocket;
    this.#handlers = options.handlers;
    this.gates = new ChannelGates((frame) => this.#handlers.handleWaiting(this, frame));
    this.#timers = new NamedTimers(clock);
    this.#inbound = new InboundLimits(config.limits, clock.monotonicMs());
    this.queue = new SendQueue({
      socket: options.socket,
      format: options.format,
      maxBytes: config.limits.sendQueueBytes,
      scheduler,
      clock,
      counters,
      onOverflow: () => this.#abandon(CloseCode.SLOW_CONSUMER, "messages come faster than they are read"),
      onFault: (reason) => {
        context.log.error("a frame could not be written", { session: this.session?.id, stack: stackOf(reason) });
        this.#abandon(CloseCode.INTERNAL, "a message could not be written");
      },
    });
    this.#timers.set("hello", config.timing.helloTimeoutMs, () =>
      this.close(CloseCode.HELLO_TIMEOUT, "no hello in time"),
    );
    webSocket.on("message", (data, isBinary) => this.#receive(data, isBinary));
    webSocket.on("ping", () => this.#admit(1, 0));
    webSocket.on("error", () => {}); // a close event follows
    webSocket.on("closing", (code, by) => this.#closing(code, by));
    webSocket.on("close", (code) => this.#closed(code));
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** Neither closing nor closed. */
  get isAlive(): boolean {
    return this.#state !== "closing" && this.#state !== "closed";
  }

  /** Settles when the connection is closed. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  get roundTripUs(): number {
    return this.#heartbeat?.roundTripUs ?? 0;
  }

  get heartbeat(): HeartbeatTimer | undefined {
    return this.#heartbeat;
  }

  get queuedBytes(): number {
    return this.queue.queuedBytes;
  }

  get queueBytes(): number {
    return this.context.config.limits.sendQueueBytes;
  }

  writable(): Promise<void> {
    return this.queue.writable();
  }

  enqueue(frame: OutboundFrame): void {
    this.queue.enqueue(frame);
  }

  /** Encodes and queues one frame for this connection alone. */
  send(frame: MessageInitShape<typeof ServerFrameSchema>): void {
    if (this.isAlive) this.queue.enqueue(encodeFrame(frame));
  }

  /** Answers a frame with an error: in a reply, or without an id in an `error` frame, at most one a second and code. */
  sendError(id: number, error: FanfareError): void {
    const { clock, counters } = this.context;
    counters.errorsByCode[error.code] = (counters.errorsByCode[error.code] ?? 0) + 1;
    if (error.code === ErrorCode.INTERNAL) {
      this.context.log.error("a request failed", {
        session: this.session?.id,
        cause: String(error.cause),
        stack: stackOf(error.cause),
      });
    }
    const value = error.toProto();
    if (id !== 0) return this.send({ id, kind: { case: "reply", value: { result: { case: "error", value } } } });
    const nowMs = clock.monotonicMs();
    if (nowMs - (this.#errorFrames.get(error.code) ?? Number.NEGATIVE_INFINITY) < 1000) return;
    this.#errorFrames.set(error.code, nowMs);
    this.send({ kind: { case: "error", value } });
  }

  /** Says why in an `error` frame and closes with the code that belongs to it. */
  refuse(error: FanfareError, code = closeCodeOf(error.code)): void {
    this.sendError(0, error);
    this.close(code, error.message);
  }

  /** `welcome` was queued: the connection is open. */
  opened(session: Session, app: GatewayApp, heartbeatIntervalMs: number): void {
    this.#state = "open";
    this.session = session;
    this.app = app;
    this.#timers.clear("hello");
    this.context.counters.unauthenticated--;
    const { clock, config } = this.context;
    this.#heartbeat = new HeartbeatTimer({
      clock,
      intervalMs: heartbeatIntervalMs,
      timeoutMs: config.timing.heartbeatTimeoutMs,
      maxStallMs: config.limits.sendQueueStallMs,
      queue: this.queue,
      ping: (frame) => this.send(frame),
      dead: () => this.#abandon(CloseCode.HEARTBEAT_TIMEOUT, "nothing was received for interval + timeout"),
      stalled: () => this.#abandon(CloseCode.SLOW_CONSUMER, "nothing was read for too long"),
    });
    this.expireAt(session.credentials.expiresAtMs);
  }

  /** Closes the connection when its token has expired, by the clock difference that is tolerated, unless a later time is set before. */
  expireAt(expiresAtMs: number): void {
    const leewayMs = (this.app?.leewayS ?? 0) * 1000;
    const delayMs = expiresAtMs + leewayMs - this.context.clock.nowMs();
    const stepsMs = Math.ceil(Math.max(0, delayMs) / expiryStepMs) * expiryStepMs;
    this.#timers.set("expiry", Math.min(stepsMs, expiryLookMs), () => {
      if (stepsMs > expiryLookMs) this.expireAt(expiresAtMs);
      else this.refuse(new FanfareError(ErrorCode.TOKEN_EXPIRED, "the token has expired and was not refreshed"));
    });
  }

  goAway(options: { deadlineMs: number; reconnectAfterMs: number; url: string; rebalancing: boolean }): void {
    if (!this.isOpen || this.goingAway) return;
    this.goingAway = true;
    const { deadlineMs, reconnectAfterMs, url } = options;
    const reason = options.rebalancing ? GoawayReason.REBALANCING : GoawayReason.DRAINING;
    this.send({ kind: { case: "goaway", value: { reason, deadlineMs, reconnectAfterMs, url } } });
    const leaveMs = this.session?.features.has("hand_over") ? deadlineMs : reconnectAfterMs;
    this.#timers.set("goaway", leaveMs, () => this.close(CloseCode.GOING_AWAY, "this node is going away"));
  }

  handOver(): void {
    this.send({ kind: { case: "handedOver", value: {} } });
    this.session = undefined; // what arrives from now on is not handled, and the session is no longer this connection's
    this.close(CloseCode.HANDED_OVER, "the session has moved to its new connection");
  }

  close(code: CloseCode, reason: string): void {
    if (!this.isAlive) return;
    this.#leave(code, "server");
    this.queue.finish(() => this.#webSocket.close(code, clipReason(reason)));
  }

  /** Cuts the connection, without a close. */
  destroy(): void {
    this.#webSocket.terminate();
  }

  /** Closes without sending what is queued, because the peer does not read it. */
  #abandon(code: CloseCode, reason: string): void {
    if (!this.isAlive) return;
    this.#leave(code, "server");
    this.queue.destroy();
    this.#webSocket.close(code, clipReason(reason));
  }

  /** The WebSocket closes without the gateway's doing: by its peer, or because what came is no WebSocket or too large. */
  #closing(code: number, by: "server" | "client"): void {
    if (!this.isAlive) return;
    this.#leave(code, by);
    this.queue.destroy();
  }

  /** Enters `closing`: from now on the session is without this connection. */
  #leave(code: number, by: "server" | "client"): void {
    const wasOpen = this.isOpen;
    this.#state = "closing";
    this.#closeCode = code;
    if (!wasOpen) this.context.counters.handshakesRefused++;
    this.#heartbeat?.stop();
    this.#timers.clear("hello", "expiry", "goaway");
    this.#timers.set("close", closeGraceMs, () => this.#webSocket.terminate());
    this.#releaseSession(code, by);
  }

  #releaseSession(code: number, by: "server" | "client"): void {
    const { session, app } = this;
    this.isOver = endsSession(code, by);
    if (session === undefined || app === undefined || session.link !== this) return;
    if (this.isOver) app.hub.end(session, { reason: "left", code, message: "", tombstone: CloseCode.DISCONNECTED });
    else app.hub.detach(session, this, code);
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (!this.isAlive) return;
    const { counters, config } = this.context;
    counters.framesInMessages++;
    counters.bytesIn += data.length;
    if (data.length > config.limits.maxFrameBytes) {
      const message = `the message has ${data.length} bytes; limits.max_frame_bytes is ${config.limits.maxFrameBytes}`;
      return this.refuse(new FanfareError(ErrorCode.TOO_LARGE, message), CloseCode.TOO_LARGE);
    }
    try {
      if (isBinary !== (this.format === "proto")) {
        const expected = this.format === "proto" ? "binary" : "text";
        throw new FanfareError(ErrorCode.MALFORMED, `this subprotocol has ${expected} messages only`);
      }
      const frames = decodeFrames(data, this.format);
      this.#heartbeat?.received();
      this.#handle(frames, data.length);
    } catch (reason) {
      const error = FanfareError.from(reason);
      if (error.code === ErrorCode.MALFORMED) this.refuse(error, CloseCode.PROTOCOL_ERROR);
      else if (error.code === ErrorCode.INVALID_ARGUMENT) this.#refuseMessage(error, data.length);
      else this.refuse(error, CloseCode.INTERNAL);
    }
  }

  /** A message with too many frames is refused as a whole, and costs what it would have cost. */
  #refuseMessage(error: FanfareError, bytes: number): void {
    if (this.#state !== "open") return this.refuse(error, CloseCode.PROTOCOL_ERROR);
    this.#heartbeat?.received();
    this.#admit(maxFrames, bytes);
    this.sendError(0, error);
  }

  #handle(frames: readonly ClientFrame[], bytes: number): void {
    this.context.counters.framesIn += frames.length;
    const limited = this.#admit(Math.max(1, frames.length), bytes); // an empty message is not for free
    for (const frame of frames) {
      if (!this.isAlive) return;
      if (this.#state === "open") this.#handlers.handle(this, frame, limited);
      else this.#handleFirst(frame);
    }
  }

  #handleFirst(frame: ClientFrame): void {
    if (this.#state !== "awaiting-hello" || frame.kind.case !== "hello") {
      const message = "the first frame is hello, and nothing is sent between it and welcome";
      return this.refuse(new FanfareError(ErrorCode.FAILED_PRECONDITION, message), CloseCode.PROTOCOL_ERROR);
    }
    const violation = frameViolation(frame);
    if (violation !== undefined) {
      const error = new FanfareError(ErrorCode.INVALID_ARGUMENT, violation.message, { field: violation.field });
      return this.refuse(error, CloseCode.PROTOCOL_ERROR);
    }
    this.#state = "handshaking";
    this.#handlers.greet(this, frame.kind.value).catch((reason) => {
      this.context.log.error("a handshake failed", { stack: stackOf(reason) });
      this.close(CloseCode.INTERNAL, "the handshake failed");
    });
  }

  /** Charges what came in; the error that requests are answered with while the connection is in debt. */
  #admit(frames: number, bytes: number): FanfareError | undefined {
    const verdict = this.#inbound.charge(this.context.clock.monotonicMs(), frames, bytes);
    if (verdict === "ok") return undefined;
    if (verdict === "close")
      this.refuse(new FanfareError(ErrorCode.RATE_LIMITED, "too many frames or bytes, for too long"));
    return new FanfareError(ErrorCode.RATE_LIMITED, "too many frames or bytes a second", {
      retryAfterMs: verdict === "close" ? 0 : verdict.retryAfterMs,
    });
  }

  #closed(code: number): void {
    if (this.#state === "closed") return;
    const wasAuthenticated = this.session !== undefined || this.app !== undefined;
    if (this.isAlive) {
      if (!this.isOpen) this.context.counters.handshakesRefused++;
      this.#releaseSession(code, "client");
    }
    this.#state = "closed";
    this.#heartbeat?.stop();
    this.#timers.clearAll();
    this.queue.destroy();
    this.context.counters.closed(this.#closeCode || code);
    this.context.admission.leave(this.remoteAddress, wasAuthenticated);
    this.#gone.resolve();
  }
}

/** A close reason has at most 123 bytes. */
function clipReason(reason: string): string {
  const { read } = new TextEncoder().encodeInto(reason, new Uint8Array(123));
  return reason.slice(0, read);
}

function stackOf(reason: unknown): string {
  return reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
}
