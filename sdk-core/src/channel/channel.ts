import type { FanfareError } from "../error.ts";
import { codecOf, type Payload, type PayloadType, presencePayload, type ValueOf } from "../payload.ts";
import type { Roster } from "../presence/roster.ts";
import type { WaitOptions } from "../requests.ts";
import { DeliveryClass } from "../wire/schema.ts";
import type { ChannelClosed, ChannelCore, ChannelGap } from "./channel-core.ts";
import { Destination, type Sender } from "./destination.ts";
import type { LogPosition } from "./log-position.ts";
import type { MessageMeta } from "./message-meta.ts";
import { MessageQueue, type QueueOptions, type Received } from "./message-queue.ts";
import { MessageStream } from "./message-stream.ts";

/** What channels ask of their client. @internal */
export interface ChannelOwner extends Sender {
  leave(core: ChannelCore, wait: WaitOptions): Promise<void>;
  showPresence(core: ChannelCore, data: Payload, wait: WaitOptions): Promise<void>;
  commit(core: ChannelCore, position: LogPosition | undefined): Promise<LogPosition>;
}

/** How to read messages one after another. */
export interface MessagesOptions extends QueueOptions {
  /** Ends the stream. */
  signal?: AbortSignal | undefined;
}

/** A channel this session receives: a group, the own player's channel, or broadcast. */
export class Channel extends Destination {
  readonly #core: ChannelCore;
  readonly #owner: ChannelOwner;
  /** By kind and name, so that codecs that are made anew for every call find their queue. */
  readonly #drains = new Map<string, MessageQueue<unknown>>();

  /** @internal */
  constructor(core: ChannelCore, owner: ChannelOwner) {
    super(core.wire, owner);
    this.#core = core;
    this.#owner = owner;
  }

  /** Whether the subscription stands, or will be taken up again with the next connection. */
  get subscribed(): boolean {
    return this.#core.subscribed !== undefined && !this.#core.over;
  }

  /** What the channel does with its messages. */
  get deliveryClass(): DeliveryClass {
    return this.#core.subscribed?.deliveryClass || DeliveryClass.LIVE;
  }

  /** Who is here; empty unless the channel was joined with `presence` or `roster`. */
  get roster(): Roster {
    return this.#core.roster;
  }

  /**
   * Durable channels: the position up to which everything was handed to this program. A message is handed over when its callback is
   * called, its iterable's loop has taken it, or `drain` has returned it; what is still queued is behind the position, also after `leave`,
   * and what a loop has left behind at its end is not. While nobody listens it does not move. Undefined in live channels.
   */
  get position(): LogPosition | undefined {
    return this.#core.handedOver;
  }

  /** Durable channels: the newest position of the log that is known. */
  get head(): LogPosition | undefined {
    return this.#core.head;
  }

  /** Durable channels: up to where this player has read, in whatever session, as far as is known; undefined: nothing was committed. */
  get cursor(): LogPosition | undefined {
    return this.#core.cursor;
  }

  /** Durable channels: entries between the player's cursor and the head; undefined without a cursor in this epoch. */
  get unread(): number | undefined {
    const { head, cursor } = this.#core;
    return head === undefined || head.epoch !== cursor?.epoch ? undefined : Math.max(0, head.offset - cursor.offset);
  }

  /** Durable channels: nothing was missing when the subscription was opened, or taken up again, the last time. */
  get recovered(): boolean {
    return this.#core.subscribed?.recovered ?? false;
  }

  /**
   * Stores how far the player has read, across sessions: everything up to here is processed. Default: {@link Channel.position}.
   * Goes forward only, and out at most once a second, with the newest position. Resolves with the cursor as it is stored then. Rejects with
   * the server's error, for instance POSITION_INVALID when the log was cleared, and FAILED_PRECONDITION in a live channel.
   */
  commit(position: LogPosition | undefined = this.position): Promise<LogPosition> {
    return this.#owner.commit(this.#core, position);
  }

  /** Calls back for every message of a type. The returned function ends it. */
  on<S extends PayloadType>(type: S, callback: (value: ValueOf<S>, meta: MessageMeta) => unknown): () => void;
  /** Calls back when messages were, or may have been, missed. */
  on(event: "gap", callback: (gap: ChannelGap) => unknown): () => void;
  /** Calls back when the subscription is over, and not because `leave` was called. */
  on(event: "closed", callback: (closed: ChannelClosed) => unknown): () => void;
  /**
   * Durable channels: calls back with the position when everything was received that had been stored before the channel was joined,
   * or taken up again. Does not come if that was nothing.
   */
  on(event: "caught-up", callback: (position: LogPosition) => unknown): () => void;
  on(what: PayloadType | "gap" | "closed" | "caught-up", callback: (first: never, meta: never) => unknown): () => void {
    const call = callback as (first: unknown, meta?: unknown) => unknown;
    if (what === "gap") return this.#core.gaps.add((gap) => call(gap));
    if (what === "closed") return this.#core.closes.add((closed) => call(closed));
    if (what === "caught-up") return this.#core.catchUps.add((position) => call(position));
    return this.#core.addSink({ type: what, take: call });
  }

  /** The messages of a type as they come, over a bounded queue that fills from now on. */
  messages<S extends PayloadType>(type: S, options: MessagesOptions = {}): MessageStream<ValueOf<S>> {
    const { signal } = options;
    const end = () => stream.end();
    const stream = new MessageStream<ValueOf<S>>(options, this.#core.room, () => {
      remove();
      signal?.removeEventListener("abort", end);
    });
    const remove = this.#core.addSink({
      type,
      queue: stream.queue,
      take: (value, meta) => {
        if (stream.push({ value: value as ValueOf<S>, meta }) === "dropped") this.#core.overflowed();
      },
      end: (error: FanfareError | undefined) => stream.end(error),
    });
    if (signal?.aborted || this.#core.over) end();
    else signal?.addEventListener("abort", end, { once: true });
    return stream;
  }

  /**
   * The messages of a type since the last call, for a loop that runs every frame. The first call for a type's name begins to collect, and
   * its codec and options hold; `overflow` is its default here.
   */
  drain<S extends PayloadType>(type: S, options: Pick<QueueOptions, "maxQueued"> = {}): Received<ValueOf<S>>[] {
    const codec = codecOf(type);
    const key = `${codec.kind} ${codec.type}`;
    let queue = this.#drains.get(key);
    if (queue === undefined) {
      const added = new MessageQueue<unknown>(options);
      const take = (value: unknown, meta: MessageMeta) => {
        if (added.push({ value, meta }) === "dropped") this.#core.overflowed();
      };
      this.#core.addSink({ type, queue: added, take });
      this.#drains.set(key, added);
      queue = added;
    }
    const taken = queue.takeAll() as Received<ValueOf<S>>[];
    if (taken.length > 0) this.#core.room();
    return taken;
  }

  /**
   * Changes what others see beside the player in this channel's presence: a JSON value, or a {@link typed} one. Rejects with
   * the server's error, and with CANCELLED if the channel is over.
   */
  async updatePresence(data: unknown, wait: WaitOptions = {}): Promise<void> {
    await this.#owner.showPresence(this.#core, presencePayload(data), wait);
  }

  /** Stops receiving. Iterables over this channel end. */
  leave(wait: WaitOptions = {}): Promise<void> {
    return this.#owner.leave(this.#core, wait);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
  }
}
