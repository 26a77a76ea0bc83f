import { type ClientFrame, CloseCode, ErrorCode } from "@fanfare/proto/v1";
import type { Connection } from "./connection.ts";
import { decodeFrames } from "./decode-frames.ts";
import { shakeHands } from "./handshake.ts";
import { InboundRates } from "./inbound-rates.ts";
import { Refusal } from "./refusal.ts";
import { handleFrame } from "./requests.ts";
import type { Settings } from "./settings.ts";

/** What a connection does with the messages that arrive. */
export class Inbound {
  readonly #connection: Connection;
  readonly #rates: InboundRates;
  readonly #maxFrameBytes: number;

  constructor(connection: Connection, limits: Settings["limits"]) {
    this.#connection = connection;
    this.#rates = new InboundRates(limits, connection.breaks);
    this.#maxFrameBytes = limits.maxFrameBytes;
  }

  receive(data: Buffer, isBinary: boolean): void {
    const connection = this.#connection;
    const { breaks } = connection;
    if (!connection.isAlive) return;
    if (this.#isTooLarge(data, isBinary)) {
      return connection.refuse(new Refusal(ErrorCode.TOO_LARGE, "the message is too large"), CloseCode.TOO_LARGE);
    }
    const frames = this.#decode(data, isBinary);
    if (frames === undefined) return;
    if (frames.length > 0 || !breaks.has("empty-messages-are-no-life")) connection.heard();
    if (breaks.has("hello-timeout-extended") && connection.session === undefined) connection.helloTimer(1_500);
    if (frames.length > 1_024 && !breaks.has("too-many-frames-handled")) {
      return connection.fail(0, new Refusal(ErrorCode.INVALID_ARGUMENT, "too many frames", "frames"));
    }
    const charged = this.#rates.charge(frames.length, data.length);
    if (charged?.isFlood) connection.refuse(charged.refusal, CloseCode.RATE_LIMITED);
    for (const frame of breaks.has("frames-reversed") ? frames.reverse() : frames)
      this.#handle(frame, charged?.refusal);
    if (connection.leftWith !== undefined) connection.close(connection.leftWith);
  }

  #isTooLarge(data: Buffer, isBinary: boolean): boolean {
    const { breaks, isCompressed } = this.#connection;
    if (breaks.has("large-messages") || (breaks.has("inflated-unbounded") && isCompressed)) return false;
    const size = breaks.has("json-size-in-characters") && !isBinary ? data.toString().length : data.length;
    return size > this.#maxFrameBytes;
  }

  #decode(data: Buffer, isBinary: boolean): ClientFrame[] | undefined {
    const connection = this.#connection;
    const { breaks, form } = connection;
    try {
      return decodeFrames(data, isBinary, form, breaks);
    } catch (error) {
      if (breaks.has("malformed-ignored")) return undefined;
      if (breaks.has("bad-bytes-stop-everybody")) for (const one of connection.server.connections) one.cut();
      if (breaks.has("malformed-untold")) connection.close(CloseCode.PROTOCOL_ERROR, "no frames");
      const refusal = new Refusal(ErrorCode.MALFORMED, `no frames: ${String(error)}`.slice(0, 100));
      connection.refuse(refusal, CloseCode.PROTOCOL_ERROR);
      return undefined;
    }
  }

  #handle(frame: ClientFrame, limited: Refusal | undefined): void {
    const connection = this.#connection;
    const { session } = connection;
    if (session !== undefined) return handleFrame(connection, session, frame, limited);
    if (!connection.isAlive) return;
    if (frame.kind.case === "hello") return shakeHands(connection, frame);
    if (connection.breaks.has("frames-before-hello")) return;
    connection.refuse(new Refusal(ErrorCode.FAILED_PRECONDITION, "hello comes first"), CloseCode.PROTOCOL_ERROR);
  }
}
