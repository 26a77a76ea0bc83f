import { FanfareError } from "../error.ts";
import { callGuarded, Listeners } from "../listeners.ts";
import { type Codec, codecOf, decodePayload, fromWirePayload, isFor, type PayloadType } from "../payload.ts";
import { Roster } from "../presence/roster.ts";
import type { Init } from "../wire/codec.ts";
import type {
  Gap,
  GapReason,
  Message,
  Skip,
  Subscribe,
  Subscribed,
  SubscriptionCloseReason,
  Channel as WireChannel,
} from "../wire/schema.ts";
import { DurablePosition } from "./durable-position.ts";
import type { LogPosition } from "./log-position.ts";
import { MessageMeta } from "./message-meta.ts";
import { SeenOrigins } from "./seen.ts";

/** Messages were, or may have been, missed. */
export interface ChannelGap {
  /** Why; `overflow`: this program did not read its queue fast enough. */
  readonly reason: GapReason | "overflow";
  /** How many messages; 0 if that is not known. */
  readonly missed: number;
  /** Durable channels: the last position known before the gap. */
  readonly from: LogPosition | undefined;
  /** Durable channels: the position from which messages follow. */
  readonly to: LogPosition | undefined;
}

/** A subscription is over. */
export interface ChannelClosed {
  /** Why. */
  readonly reason: SubscriptionCloseReason;
  /** More about it, if the server said more. */
  readonly error: FanfareError | undefined;
}

/** Something that takes messages of one payload type. */
export interface Sink {
  readonly type: PayloadType;
  take(value: unknown, meta: MessageMeta): void;
  /** The channel is over. */
  end?(error: FanfareError | undefined): void;
}

/** What a channel knows and does behind its public face. */
export class ChannelCore {
  readonly wire: WireChannel;
  readonly #seen = new SeenOrigins();
  readonly #volatileSeen = new SeenOrigins();
  readonly position = new DurablePosition();
  readonly gaps = new Listeners<ChannelGap>();
  readonly closes = new Listeners<ChannelClosed>();
  readonly roster: Roster;
  /** What the program asked for; undefined: nothing, or it has left. */
  wanted: Init<Subscribe> | undefined;
  /** The subscription stands, or stood when the connection was lost. */
  subscribed: Subscribed | undefined;
  /** No more comes. */
  over = false;
  readonly #sinks = new Map<Sink, Codec<unknown, never>>();
  readonly #report: (source: "payload" | "callback", error: FanfareError) => void;

  constructor(wire: WireChannel, report: (source: "payload" | "callback", error: FanfareError) => void) {
    this.wire = wire;
    this.#report = report;
    this.roster = new Roster(this.reportThrown);
  }

  readonly reportThrown = (thrown: unknown): void => this.#report("callback", FanfareError.from(thrown));

  addSink(sink: Sink): () => void {
    this.#sinks.set(sink, codecOf(sink.type) as unknown as Codec<unknown, never>);
    return () => this.#sinks.delete(sink);
  }

  /** Gives a message to whoever takes its type. False: the log has to be read anew from the position. */
  receive(message: Message): boolean {
    const { log } = message;
    if (log !== undefined) {
      const succession = this.position.advance(log.offset, log.offset, log.tag, log.previousTag);
      if (succession !== "take") return succession !== "resync";
    }
    if (!(message.volatile ? this.#volatileSeen : this.#seen).isNew(message.origin, message.seq)) return true;
    const payload = fromWirePayload(message.payload);
    const meta = new MessageMeta(message);
    for (const [sink, codec] of this.#sinks) {
      if (!isFor(payload, codec)) continue;
      let value: unknown;
      try {
        value = decodePayload(sink.type, payload);
      } catch (thrown) {
        this.#report("payload", FanfareError.from(thrown));
        continue;
      }
      callGuarded(() => sink.take(value, meta), this.reportThrown);
    }
    return true;
  }

  /** Moves over what a durable channel does not send. False: the log has to be read anew from the position. */
  skip({ fromOffset, toOffset, tag, previousTag }: Skip): boolean {
    return this.position.advance(fromOffset, toOffset, tag, previousTag) !== "resync";
  }

  gap(gap: Gap): void {
    const { reason, missed, from, to } = gap;
    this.gaps.emit({ reason, missed, from, to }, this.reportThrown);
  }

  overflowed(): void {
    this.gaps.emit({ reason: "overflow", missed: 1, from: undefined, to: undefined }, this.reportThrown);
  }

  /** Ends everything that waits for messages. */
  end(closed: ChannelClosed | undefined, error?: FanfareError): void {
    if (this.over) return;
    this.over = true;
    this.wanted = undefined;
    this.subscribed = undefined;
    if (closed !== undefined) this.closes.emit(closed, this.reportThrown);
    for (const sink of [...this.#sinks.keys()]) sink.end?.(error);
    this.#sinks.clear();
  }
}
