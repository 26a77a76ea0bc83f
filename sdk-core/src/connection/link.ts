import type { Clock, Socket, SocketFactory } from "../ports.ts";
import { decodeServerFrames, type Init, writeClientFrame } from "../wire/codec.ts";
import { type ClientFrame, CloseCode, type ServerFrame } from "../wire/schema.ts";
import { Writer } from "../wire/writer.ts";
import { type CloseDecision, closeDecision, upgradeDecision } from "./close-decision.ts";
import type { FrameTap } from "./frame-tap.ts";
import { Heartbeat } from "./heartbeat.ts";

/** The subprotocol that this client speaks. */
const subprotocol = "fanfare.v1.proto";
/** Frames are joined up to here. */
const joinedBytes = 60 * 1024;
const joinedFrames = 1024;

/** What a {@link Link} tells. */
export interface LinkEvents {
  opened(link: Link): void;
  frame(link: Link, frame: ServerFrame): void;
  /** The connection has ended; nothing comes after it. */
  ended(link: Link, code: number, reason: string, decision: CloseDecision): void;
}

/** A round trip to the server. */
export interface RoundTrip {
  /** Milliseconds, with fractions. */
  roundTripMs: number;
  /** How far the server's clock is ahead of this device's, in milliseconds. */
  clockOffsetMs: number;
}

/** One WebSocket: joins frames, answers pings, and notices silence. */
export class Link {
  /** The connection's number in the state machine. */
  readonly number: number;
  /** Called when the socket is closed, whoever closed it. */
  onClosed: (() => void) | undefined;
  readonly #clock: Clock;
  readonly #events: LinkEvents;
  readonly #tap: FrameTap | undefined;
  readonly #socket: Socket;
  readonly #heartbeat: Heartbeat;
  readonly #writer = new Writer();
  readonly #onRoundTrip: (roundTrip: RoundTrip) => void;
  #frames = 0;
  /** Bytes that the server takes in one message. */
  #maxFrameBytes = Number.POSITIVE_INFINITY;
  #pingId = 0;
  #pingAt = 0;
  #over = false;

  constructor(
    number: number,
    url: string,
    ports: { clock: Clock; sockets: SocketFactory },
    events: LinkEvents,
    onRoundTrip: (roundTrip: RoundTrip) => void,
    tap: FrameTap | undefined,
    known: boolean,
  ) {
    this.number = number;
    this.#clock = ports.clock;
    this.#events = events;
    this.#onRoundTrip = onRoundTrip;
    this.#tap = tap;
    this.#heartbeat = new Heartbeat(ports.clock, {
      ping: () => this.#ping(),
      silent: () => this.#breakOff(CloseCode.HEARTBEAT_TIMEOUT, "nothing received"),
    });
    this.#socket = ports.sockets.open(url, [subprotocol], {
      opened: (spoken) => {
        if (this.#over) return;
        if (spoken === subprotocol) events.opened(this);
        else {
          this.#socket.close(1000, "");
          this.#end(CloseCode.UNSUPPORTED_SUBPROTOCOL, `the server does not speak ${subprotocol}`);
        }
      },
      message: (data) => this.#received(data),
      closed: (code, reason, refusal) => {
        this.onClosed?.();
        const decision = refusal && upgradeDecision(refusal.status, refusal.retryAfterMs, known);
        this.#end(code, refusal === undefined ? reason : `the upgrade was refused with ${refusal.status}`, decision);
      },
    });
  }

  /** Bytes that wait to get out. */
  get bufferedBytes(): number {
    return this.#socket.bufferedBytes + this.#writer.length;
  }

  /** What `welcome` said. */
  welcomed(intervalMs: number, timeoutMs: number, maxFrameBytes: number): void {
    if (maxFrameBytes > 0) this.#maxFrameBytes = maxFrameBytes;
    this.#heartbeat.start(intervalMs, timeoutMs);
  }

  /** Sends a frame, joined with everything else that is sent before the microtasks run. False: it is larger than the server takes. */
  send(frame: Init<ClientFrame>): boolean {
    if (this.#over) return true;
    const start = this.#writer.length;
    writeClientFrame(this.#writer, frame);
    const size = this.#writer.length - start;
    if (size > this.#maxFrameBytes) {
      this.#writer.take(start);
      return false;
    }
    this.#tap?.sent(frame, size);
    const most = Math.min(joinedBytes, this.#maxFrameBytes);
    if (start > 0 && (this.#writer.length > most || this.#frames === joinedFrames)) {
      const last = this.#writer.take(start);
      this.#flush();
      this.#writer.raw(last);
    }
    if (this.#frames++ === 0) queueMicrotask(() => this.#flush());
    return true;
  }

  /** Sees whether the other side is still there. */
  probe(): void {
    this.#heartbeat.probe();
  }

  /** Closes, after what was sent; `ended` is not told. */
  close(code: number, reason: string): void {
    if (this.#over) return;
    this.#flush();
    this.#over = true;
    this.#heartbeat.stop();
    this.#socket.close(code, reason);
  }

  #flush(): void {
    this.#frames = 0;
    if (this.#writer.length > 0 && !this.#over) this.#socket.send(this.#writer.take());
  }

  #received(data: Uint8Array | string): void {
    if (this.#over) return;
    this.#heartbeat.received();
    if (typeof data === "string") return this.#fail("text that is no frame");
    try {
      decodeServerFrames(data, (frame, size) => {
        this.#tap?.received(frame, size);
        if (!this.#over) this.#frame(frame);
      });
    } catch (thrown) {
      if (!(thrown instanceof RangeError)) throw thrown;
      this.#fail("bytes that are no frame");
    }
  }

  #frame(frame: ServerFrame): void {
    if (frame.ping !== undefined) {
      const now = Math.round(this.#clock.now() * 1000);
      this.send({ id: frame.id, pong: { pingSentAtUs: frame.ping.sentAtUs, receivedAtUs: now, sentAtUs: now } });
      this.#flush();
    } else if (frame.pong !== undefined) {
      if (frame.id === this.#pingId && this.#pingAt > 0) this.#measure(frame.pong);
    } else {
      this.#events.frame(this, frame);
    }
  }

  #ping(): void {
    this.#pingId = pingIds + ((this.#pingId + 1) & 0xffff);
    this.#pingAt = this.#clock.monotonic();
    this.send({ id: this.#pingId, ping: { sentAtUs: Math.round(this.#clock.now() * 1000) } });
  }

  #measure(pong: NonNullable<ServerFrame["pong"]>): void {
    const elapsedMs = this.#clock.monotonic() - this.#pingAt;
    this.#pingAt = 0;
    const { pingSentAtUs: t0, receivedAtUs: t1, sentAtUs: t2 } = pong;
    const roundTripMs = Math.max(elapsedMs - (t2 - t1) / 1000, 0);
    this.#onRoundTrip({ roundTripMs, clockOffsetMs: (t1 - t0) / 1000 - roundTripMs / 2 });
  }

  /** The server broke the protocol. That may be over with the next connection, but not with this session. */
  #fail(reason: string): void {
    this.#breakOff(CloseCode.PROTOCOL_ERROR, reason, { reconnect: "backoff", sessionEnds: true, minBackoffMs: 0 });
  }

  #breakOff(code: number, reason: string, decision?: CloseDecision): void {
    this.#socket.close(code, reason);
    this.#end(code, reason, decision);
  }

  #end(code: number, reason: string, decision: CloseDecision = closeDecision(code)): void {
    if (this.#over) return;
    this.#over = true;
    this.#heartbeat.stop();
    this.#events.ended(this, code, reason, decision);
  }
}

/** Frame ids of pings lie above those of requests, so that the two never meet. */
const pingIds = 0xffff_0000;
