import { checkNumber, checkText } from "../bounds.ts";
import { encodePayload, type InputOf, type PayloadType } from "../payload.ts";
import type { WaitOptions } from "../requests.ts";
import type { Init } from "../wire/codec.ts";
import {
  HistoryDirection,
  type HistoryQuery,
  type Outcome,
  type Publish,
  type PublishResult,
  type Channel as WireChannel,
  type HistoryPage as WirePage,
} from "../wire/schema.ts";
import { type HistoryOptions, type HistoryPage, type StoredMessage, toHistoryPage } from "./history.ts";
import type { LogPosition } from "./log-position.ts";
import { fromWireChannel, type Target } from "./target.ts";

/** How to send a message that may be dropped. */
export interface SendOptions {
  /** The newest message of a key replaces an older one that has not been sent to a slow receiver. At most 64 bytes. */
  conflate?: string | undefined;
  /** How long the message is of use, in milliseconds. Default: without end. */
  ttlMs?: number | undefined;
  /** Do not send it to this session. Default: false. */
  excludeSelf?: boolean | undefined;
}

/** How to publish. */
export interface PublishOptions extends WaitOptions {
  /** How long the message is of use, in milliseconds; past it, it is not sent any more. Default: without end. */
  ttlMs?: number | undefined;
  /** Do not send it to this session. Default: false. */
  excludeSelf?: boolean | undefined;
  /** Count the sessions it reached; see {@link Sent.report}. Default: false. */
  report?: boolean | undefined;
}

/** Who was reached: a session is when the message was put into its send queue. */
export interface DeliveryReport {
  /** Sessions whose send queue took the message. */
  readonly reached: number;
  /** Sessions without a connection that can still resume. A live message is lost for them, and they are told a gap. */
  readonly detached: number;
  /** Sessions left out by `excludeSelf`. */
  readonly excluded: number;
  /** Nodes that did not answer in time: their counts are missing. */
  readonly nodesUnreached: number;
}

/** What became of a published message. */
export interface Sent {
  /** DELIVERED, STORED or OFFLINE. Anything else is an error. */
  readonly outcome: Outcome;
  /** The server had it before, by a repeat of this client's own; it was delivered once. */
  readonly repeated: boolean;
  /** Where it was stored, in a durable channel. */
  readonly position?: LogPosition;
  /** If it was asked for, and the server offers it. */
  readonly report?: DeliveryReport;
}

/** 30 days. */
const longestTtlMs = 2_592_000_000;

/** Puts messages on their way, and finds those that are stored. @internal */
export interface Sender {
  send(publish: Init<Publish>): boolean;
  publish(publish: Init<Publish>, wait: WaitOptions): Promise<PublishResult>;
  history(query: Init<HistoryQuery>, wait: WaitOptions): Promise<WirePage | undefined>;
}

/** Where messages can be sent, whether it is subscribed or not. */
export class Destination {
  readonly #wire: WireChannel;
  readonly #sender: Sender;

  /** @internal */
  constructor(wire: WireChannel, sender: Sender) {
    this.#wire = wire;
    this.#sender = sender;
  }

  /** The channel's name. */
  get target(): Target {
    return fromWireChannel(this.#wire) ?? "broadcast";
  }

  /**
   * Sends a volatile message: it may be dropped, and nobody says what became of it. Without a connection, or with one that is too slow,
   * it is dropped at once, and the result is false.
   */
  send<S extends PayloadType>(type: S, value: InputOf<S>, options: SendOptions = {}): boolean {
    const { conflate, ttlMs, excludeSelf } = options;
    checkText("publish.conflation_key", conflate, 64);
    checkNumber("publish.ttl_ms", ttlMs, longestTtlMs);
    return this.#sender.send({
      channel: this.#wire,
      payload: encodePayload(type, value),
      volatile: true,
      conflationKey: conflate,
      ttlMs,
      excludeSelf,
    });
  }

  /**
   * Publishes a message and tells what became of it. Without a connection it waits in a bounded queue; a publish whose answer was lost
   * with its connection is repeated without being delivered twice.
   *
   * Rejects with what the server says; EXPIRED or CANCELLED, if it was not sent in time (`outcome` FAILED); DEADLINE_EXCEEDED,
   * CANCELLED or SESSION_ENDED, if it was sent and not answered (`outcome` UNKNOWN); LIMIT_EXCEEDED, if the queue is full;
   * SESSION_ENDED, if the client is closed (`outcome` FAILED).
   */
  async publish<S extends PayloadType>(type: S, value: InputOf<S>, options: PublishOptions = {}): Promise<Sent> {
    const { ttlMs, excludeSelf, report, signal, timeoutMs } = options;
    checkNumber("publish.ttl_ms", ttlMs, longestTtlMs);
    const payload = encodePayload(type, value);
    const wantReport = report;
    return this.#sender.publish(
      { channel: this.#wire, payload, ttlMs, excludeSelf, wantReport },
      { signal, timeoutMs },
    );
  }

  /**
   * A page of a durable channel's log. Rejects with the server's error: PERMISSION_DENIED, FAILED_PRECONDITION in a live channel, or
   * POSITION_INVALID when the log has another epoch or tag at `from`.
   */
  async history(options: HistoryOptions = {}): Promise<HistoryPage> {
    const { limit, from, signal, timeoutMs } = options;
    checkNumber("history.limit", limit, 1000);
    const direction = options.direction === "forward" ? HistoryDirection.FORWARD : HistoryDirection.BACKWARD;
    const query = { channel: this.#wire, from, direction, limit };
    return toHistoryPage(await this.#sender.history(query, { signal, timeoutMs }));
  }

  /** The messages of a durable channel's log one after another, read page by page as the loop goes on. Throws as `history` rejects. */
  async *stored(options: HistoryOptions = {}): AsyncGenerator<StoredMessage, void, undefined> {
    let { from } = options;
    do {
      const { messages, next } = await this.history({ ...options, from });
      yield* messages;
      from = next;
    } while (from !== undefined);
  }
}
