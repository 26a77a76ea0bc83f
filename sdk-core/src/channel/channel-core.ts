import { FanfareError } from "../error.ts";
import { callGuarded, Listeners } from "../listeners.ts";
import {
  type Codec,
  codecOf,
  decodePayload,
  fromWirePayload,
  isFor,
  type Payload,
  type PayloadType,
} from "../payload.ts";
import { Roster } from "../presence/roster.ts";
import type { Init } from "../wire/codec.ts";
import {
  DeliveryClass,
  type Gap,
  GapReason,
  type Message,
  type Skip,
  type Subscribe,
  type Subscribed,
  type SubscriptionCloseReason,
  type Channel as WireChannel,
} from "../wire/schema.ts";
import { Backlog } from "./backlog.ts";
import type { CursorCommits } from "./cursor-commits.ts";
import { DurablePosition } from "./durable-position.ts";
import { EarlyMessages } from "./early-messages.ts";
import type { LogPosition } from "./log-position.ts";
import { MessageMeta } from "./message-meta.ts";
import type { MessageQueue } from "./message-queue.ts";
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
  /** Where it keeps them until they are read. */
  readonly queue?: MessageQueue<unknown>;
  take(value: unknown, meta: MessageMeta): void;
  /** The channel is over. */
  end?(error: FanfareError | undefined): void;
}

/** What a channel knows and does behind its public face. */
export class ChannelCore {
  readonly wire: WireChannel;
  #seen = new SeenOrigins();
  readonly #volatileSeen = new SeenOrigins();
  /** Up to which everything was received: given to the program, or kept here for it. */
  readonly position = new DurablePosition();
  readonly #backlog = new Backlog();
  /** The newest position of the log that is known. */
  head: LogPosition | undefined;
  /** How far the player has read, as far as is known. */
  cursor: LogPosition | undefined;
  commits: CursorCommits | undefined;
  readonly gaps = new Listeners<ChannelGap>();
  readonly closes = new Listeners<ChannelClosed>();
  readonly catchUps = new Listeners<LogPosition>();
  readonly roster: Roster;
  /** What the program asked for; undefined: nothing, or it has left. */
  wanted: Init<Subscribe> | undefined;
  /** The subscription stands, or stood when the connection was lost. */
  subscribed: Subscribed | undefined;
  /** No more comes. */
  over = false;
  readonly #sinks = new Map<Sink, Codec<unknown, never>>();
  /** Queues with something to be read, also of readers that are over. */
  readonly #unread = new Set<MessageQueue<unknown>>();
  readonly #report: (source: "payload" | "callback", error: FanfareError) => void;
  readonly #nowMs: () => number;
  readonly #restart: (core: ChannelCore) => void;
  /** Live channels: what came before the program listened for the first time; undefined since then. */
  #early: EarlyMessages | undefined = new EarlyMessages();
  /** A message was refused because there was no room for it. */
  #paused = false;

  constructor(
    wire: WireChannel,
    report: (source: "payload" | "callback", error: FanfareError) => void,
    nowMs: () => number,
    restart: (core: ChannelCore) => void,
  ) {
    this.wire = wire;
    this.#report = report;
    this.#nowMs = nowMs;
    this.#restart = restart;
    this.roster = new Roster(this.reportThrown);
  }

  readonly reportThrown = (thrown: unknown): void => this.#report("callback", FanfareError.from(thrown));

  addSink(sink: Sink): () => void {
    this.#sinks.set(sink, codecOf(sink.type) as unknown as Codec<unknown, never>);
    // Whoever listens to several types adds all of them before this runs.
    queueMicrotask(() => {
      this.#giveEarly();
      this.room();
    });
    return () => {
      this.#sinks.delete(sink);
      this.room();
    };
  }

  get isLive(): boolean {
    return this.subscribed?.deliveryClass !== DeliveryClass.DURABLE;
  }

  /** Up to which everything was given to the program. */
  get handedOver(): LogPosition | undefined {
    const { current } = this.position;
    let first = this.#backlog.before ?? current;
    for (const queue of this.#unread) {
      const before = queue.oldest?.meta.before;
      if (before === undefined || first === undefined) continue;
      // What is of another epoch than the newest is older.
      const older = before.epoch === first.epoch ? before.offset < first.offset : before.epoch !== current?.epoch;
      if (older) first = before;
    }
    return first;
  }

  /** Some reader has read. */
  readonly room = (): void => {
    for (const queue of this.#unread) if (queue.size === 0) this.#unread.delete(queue);
    this.#backlog.flush(this.#hasRoom);
    if (!this.#paused || !this.#backlog.halfEmpty) return;
    this.#paused = false;
    this.#restart(this);
  };

  /**
   * The subscription stands, for the first time or again. `asked`: the program has said where it begins; otherwise a position that is known
   * stays, because a former connection may have brought more meanwhile. False: the log has to be read anew from the position.
   */
  opened(subscribed: Subscribed, asked: boolean): boolean {
    const { position, recovered, gap, head, cursor } = subscribed;
    const known = this.position.current;
    this.subscribed = subscribed;
    this.head = head;
    // In a move, a newer one may have been stored since.
    if (cursor && (this.cursor?.epoch !== cursor.epoch || this.cursor.offset < cursor.offset)) this.cursor = cursor;
    this.#paused = false;
    let right = true;
    if (this.isLive) this.position.start(undefined);
    else if (known === undefined || asked || gap !== undefined) {
      // Going back brings messages that were had before. A fork or a new epoch does so too, and those are still known.
      const back = known !== undefined && position?.epoch === known.epoch && position.offset < known.offset;
      if (asked && gap === undefined && back) this.#seen = new SeenOrigins();
      this.position.start(position);
    } else {
      this.position.start(known);
      right = recovered || (position?.offset === known.offset && position.tag === known.tag);
      if (!right) this.position.stop();
    }
    this.roster.reset(subscribed.presence);
    if (gap !== undefined) this.gap(gap);
    return right;
  }

  /** Gives a message to whoever takes its type. False: the log has to be read anew from the position. */
  receive(message: Message): boolean {
    const { log } = message;
    const before = this.position.current;
    if (log !== undefined && before !== undefined) {
      const { epoch } = before;
      const { offset, tag, previousTag } = log;
      if (this.head?.epoch !== epoch || this.head.offset < offset) this.head = { epoch, offset, tag };
      const succession = this.position.advance(offset, offset, tag, previousTag, this.#backlog.full);
      this.#paused ||= succession === "hold";
      if (succession !== "take") return succession !== "resync";
    }
    if (!(message.volatile ? this.#volatileSeen : this.#seen).isNew(message.origin, message.seq)) return true;
    const payload = fromWirePayload(message.payload);
    const meta = new MessageMeta(message, before?.epoch);
    const early = before === undefined ? this.#early : undefined;
    if (early !== undefined && !(this.#sinks.size > 0 && early.isEmpty)) {
      early.add({ payload, meta, atMs: this.#nowMs() });
    } else this.#inTurn(() => this.#give(payload, meta), before, payload);
    return true;
  }

  /** Everything stored before was received. */
  caughtUp(position: LogPosition): void {
    if (!this.position.stopped) this.#inTurn(() => this.catchUps.emit(position, this.reportThrown));
  }

  /** In a durable channel things wait until there is somebody to take them; nobody can have listened before the channel was there. */
  #inTurn(give: () => void, before = this.position.current, { binary, text, json }: Partial<Payload> = {}): void {
    const { size, full } = this.#backlog;
    if (before === undefined || full || (size === 0 && this.#hasRoom())) give();
    else this.#backlog.push(before, (binary ?? text ?? json ?? "").length, give);
  }

  readonly #hasRoom = (): boolean => {
    for (const { queue } of this.#sinks.keys()) if (queue?.blocks) return false;
    return this.#sinks.size > 0;
  };

  #giveEarly(): void {
    const early = this.#early;
    if (early === undefined) return;
    this.#early = undefined;
    const messages = early.takeAll(this.#nowMs());
    if (early.lost > 0) this.overflowed(early.lost);
    for (const { payload, meta } of messages) this.#give(payload, meta);
  }

  #give(payload: Payload, meta: MessageMeta): void {
    // Not to those that are added on the way.
    for (const [sink, codec] of [...this.#sinks]) {
      if (!this.#sinks.has(sink) || !isFor(payload, codec)) continue;
      let value: unknown;
      try {
        value = decodePayload(sink.type, payload);
      } catch (thrown) {
        this.#report("payload", FanfareError.from(thrown));
        continue;
      }
      callGuarded(() => sink.take(value, meta), this.reportThrown);
      if (sink.queue?.size) this.#unread.add(sink.queue);
    }
  }

  /** Moves over what a durable channel does not send. False: the log has to be read anew from the position. */
  skip({ fromOffset, toOffset, tag, previousTag }: Skip): boolean {
    return this.position.advance(fromOffset, toOffset, tag, previousTag) !== "resync";
  }

  /** The subscription did not stand for a while, or nobody knows whether it did. A log tells by itself. */
  missed(): void {
    if (this.subscribed && this.isLive) this.gap({ reason: GapReason.DETACHED, missed: 0 });
  }

  gap({ reason, missed, from, to }: Pick<Gap, "reason" | "missed" | "from" | "to">): void {
    this.#inTurn(() => this.gaps.emit({ reason, missed, from, to }, this.reportThrown));
  }

  overflowed(missed = 1): void {
    this.gaps.emit({ reason: "overflow", missed, from: undefined, to: undefined }, this.reportThrown);
  }

  /** Ends everything that waits for messages. */
  end(closed: ChannelClosed | undefined, error?: FanfareError): void {
    if (this.over) return;
    this.over = true;
    this.wanted = undefined;
    this.subscribed = undefined;
    this.commits?.end();
    if (closed !== undefined) this.closes.emit(closed, this.reportThrown);
    for (const sink of [...this.#sinks.keys()]) sink.end?.(error);
    this.#sinks.clear();
  }
}
