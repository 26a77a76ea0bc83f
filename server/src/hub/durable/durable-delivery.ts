import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  GapReason,
  GapSchema,
  LeaveReason,
  SubscriptionCloseReason,
  type SubscriptionEventSchema,
} from "@fanfare/proto/v1";
import type { Clock } from "../../clock.ts";
import type { ChannelPolicy } from "../../config/channel-policy.ts";
import { type LogPosition, toWirePosition } from "../../log/log-position.ts";
import type { LogChannel, LogItem, MessageLog, ReadResult } from "../../log/message-log.ts";
import type { Counters } from "../../observe/counters.ts";
import type { Log } from "../../observe/log.ts";
import type { StoredEntry } from "../../router/local-delivery.ts";
import { encodeFrame } from "../../wire/frame-encoding.ts";
import type { ChannelState } from "../channel-state.ts";
import type { Served } from "../fan-out.ts";
import type { SessionLink } from "../session-link.ts";
import type { Subscription } from "../subscription.ts";
import { DurableReader } from "./durable-reader.ts";
import { EntryFrames, skipFrame } from "./log-frames.ts";
import { gapOf, positionAfter, type StartPlan } from "./start-plan.ts";

/** What durable delivery needs from outside. */
export interface DurableDeliveryOptions {
  readonly appId: string;
  readonly messageLog: MessageLog;
  readonly clock: Clock;
  readonly log: Log;
  readonly counters: Pick<Counters, "messagesDelivered">;
  readonly policyFor: (state: ChannelState) => ChannelPolicy | undefined;
  /** Bytes in a send queue from which on a session is served from the log instead. */
  readonly pushBytes: number;
  /** Ends a subscription whose log cannot be read. */
  readonly close: (subscription: Subscription, reason: SubscriptionCloseReason, leave: LeaveReason) => void;
}

/** Entries and bytes of one page of a replay, at most. */
const pageEntries = 256;
const pageBytes = 64 * 1024;
/** How long after a failure the log is read again, in milliseconds, and how often. */
const retryMs = 500;
const maxRetries = 20;

/** Serves the subscriptions of durable channels of one app: what is stored now, and what was stored before. */
export class DurableDelivery {
  readonly #options: DurableDeliveryOptions;
  /** Channels that are looked at again in a while. */
  readonly #toBeLookedAt = new Set<ChannelState>();

  constructor(options: DurableDeliveryOptions) {
    this.#options = options;
  }

  /** Serves a subscription of a connected session from where the plan says; ends what served it before. */
  start(subscription: Subscription, { position, head }: StartPlan): void {
    this.#begin(subscription, new DurableReader(position, head.offset > position.offset));
  }

  /** Serves a subscription of a connected session again, from where it was stopped. */
  goOn(subscription: Subscription, { position, announces }: DurableReader): void {
    this.#begin(subscription, new DurableReader(position, announces));
  }

  #begin(subscription: Subscription, reader: DurableReader): void {
    this.stop(subscription);
    subscription.startTurn++;
    subscription.reader = reader;
    this.#read(subscription, reader);
  }

  /** Serves a subscription no more. */
  stop(subscription: Subscription): void {
    if (subscription.reader !== undefined) subscription.reader.current = false;
    subscription.reader = undefined;
  }

  /** How each subscription of a channel is served an entry that was stored. Moves the channel's feed on; undefined for an old entry. */
  feed(state: ChannelState, entry: StoredEntry): ((subscription: Subscription) => Served) | undefined {
    const { feedHead } = state;
    if (feedHead !== undefined && !isBehind(feedHead, entry.position)) return undefined;
    state.feedHead = entry.position;
    const { position, ...rest } = entry;
    const frames = new EntryFrames(state.channel, { ...rest, offset: position.offset, tag: position.tag });
    return (subscription) => this.#serve(subscription, entry, frames);
  }

  /**
   * The log was cleared: whoever is in what it was before goes on at its new head. Word of that has a way of its own, and entries that were stored
   * since can be first: a reader that has come to the new log by them, or to one that is newer still, was told then.
   */
  cleared(state: ChannelState, head: LogPosition): void {
    const { feedHead } = state;
    const isNews = feedHead === undefined || feedHead.epoch < head.epoch;
    if (isNews) state.feedHead = head;
    // Of a copy: a queue that overflows can end its session, and with it a subscription.
    for (const subscription of [...state.subscribers]) {
      const { reader } = subscription;
      if (reader === undefined || reader.position.epoch >= head.epoch) continue;
      const gap = { reason: GapReason.EPOCH, from: toWirePosition(reader.position), to: toWirePosition(head) };
      tell(subscription, { case: "gap", value: create(GapSchema, gap) });
      if (!reader.current) continue;
      // What was fed since was left for whoever reads, and a page may be on its way that is of the log before.
      if (isNews && reader.mode === "live") reader.position = head;
      else this.#begin(subscription, new DurableReader(head, reader.announces));
    }
  }

  /**
   * Something may be stored that this node was not told. Compares the log's head with what the subscriptions of the channel have, and reads
   * on where it is another one. Never rejects: what cannot be found out now is tried again.
   */
  async lookAgain(state: ChannelState): Promise<void> {
    // Who reads may have the last page already, and wait for room to send it.
    for (const { reader } of state.subscribers) if (reader?.mode === "reading") reader.isDoubted = true;
    const live = [...state.subscribers].filter(({ reader }) => reader?.mode === "live");
    if (live.length === 0) return;
    const channel: LogChannel = { appId: this.#options.appId, key: state.key };
    for (let retries = 0; ; retries++) {
      const policy = this.#options.policyFor(state);
      if (policy === undefined || state.subscribers.size === 0) return;
      try {
        const { head, isWithheld } = await this.#options.messageLog.ends(channel, policy);
        if (isWithheld) this.#lookLater(state);
        for (const subscription of state.subscribers) {
          const { reader } = subscription;
          if (reader?.mode === "live" && !isSame(reader.position, head)) this.#goOnReading(subscription, reader);
        }
        return;
      } catch {
        if (retries === maxRetries) break;
        await new Promise<void>((resolve) => this.#options.clock.setTimer(retryMs, resolve));
      }
    }
    // Whoever cannot be told what it has missed reads, and is closed if that fails too.
    for (const subscription of live) {
      const { reader } = subscription;
      if (reader?.mode === "live") this.#goOnReading(subscription, reader);
    }
  }

  /**
   * There are entries that may not be read yet. Their publisher tells those who had subscribed when they were stored, which this subscriber may not
   * have: it has to find out itself.
   */
  #lookLater(state: ChannelState): void {
    if (this.#toBeLookedAt.has(state)) return;
    this.#toBeLookedAt.add(state);
    this.#options.clock.setTimer(retryMs, () => {
      this.#toBeLookedAt.delete(state);
      void this.lookAgain(state);
    });
  }

  #goOnReading(subscription: Subscription, reader: DurableReader): void {
    reader.mode = "reading";
    this.#read(subscription, reader);
  }

  #serve(subscription: Subscription, entry: StoredEntry, frames: EntryFrames): Served {
    const { session, reader } = subscription;
    const { link } = session;
    if (link === undefined) return "detached";
    const isExcluded = entry.excludeSelf && entry.origin === session.origin;
    if (reader === undefined) {
      if (session.features.has("durable")) return "later"; // its start is being planned
      if (isExcluded) return "excluded";
      link.enqueue(frames.message);
      return "reached";
    }
    if (reader.mode !== "live" || !isBehind(reader.position, entry.position)) return "later";
    const follows =
      reader.position.epoch === entry.position.epoch &&
      reader.position.offset === entry.position.offset - 1 &&
      reader.position.tag === entry.previousTag;
    if (!follows || link.queuedBytes > this.#options.pushBytes) {
      this.#goOnReading(subscription, reader);
      return "later";
    }
    reader.position = entry.position;
    link.enqueue(isExcluded ? frames.excluded : frames.message);
    return isExcluded ? "excluded" : "reached";
  }

  #read(subscription: Subscription, reader: DurableReader): void {
    this.#readToEnd(subscription, reader).catch((reason: unknown) => {
      if (!reader.current) return;
      this.#options.log.warn("a log could not be read; its subscription is closed", {
        channel: subscription.channel.key,
        error: String(reason),
      });
      this.#options.close(subscription, SubscriptionCloseReason.FAILED, LeaveReason.KICKED);
    });
  }

  async #readToEnd(subscription: Subscription, reader: DurableReader): Promise<void> {
    const { link } = subscription.session;
    if (link === undefined) return;
    const isCurrent = () => reader.current && subscription.active && subscription.session.link === link;
    while (isCurrent()) {
      await link.writable();
      await this.#yield();
      if (!isCurrent()) return;
      reader.isDoubted = false;
      const page = await this.#page(subscription, reader);
      // A session can read many channels at once, and a page of each is too much for its queue.
      while (isCurrent() && link.queuedBytes > this.#pageBytes) {
        await link.writable();
        await this.#yield();
      }
      if (!isCurrent()) return;
      if (page.verdict !== "ok") {
        const to = positionAfter(page.verdict, page);
        tell(subscription, { case: "gap", value: gapOf(page.verdict, reader.position, to) });
        reader.position = to;
        continue;
      }
      for (const item of page.items) this.#send(subscription, link, item);
      reader.position = page.next;
      if (!page.atEnd) continue;
      if (page.isWithheld) this.#lookLater(subscription.channel);
      if (!reader.isDoubted && this.#joinFeed(subscription.channel, reader)) break;
    }
    if (!isCurrent()) return;
    if (reader.announces) {
      reader.announces = false;
      tell(subscription, { case: "caughtUp", value: { position: toWirePosition(reader.position) } });
    }
  }

  /** Goes over to what is stored from now on, unless something was that the page did not have yet. */
  #joinFeed(state: ChannelState, reader: DurableReader): boolean {
    const { feedHead } = state;
    if (feedHead !== undefined && isBehind(reader.position, feedHead)) return false;
    reader.mode = "live";
    return true;
  }

  #send({ channel, session }: Subscription, link: SessionLink, item: LogItem): void {
    if (item.kind === "skip") return link.enqueue(skipFrame(channel.channel, item));
    const frames = new EntryFrames(channel.channel, item);
    if (item.excludeSelf && item.origin === session.origin) return link.enqueue(frames.excluded);
    // What is pushed is counted by whoever has it pushed, by what became of it.
    this.#options.counters.messagesDelivered++;
    link.enqueue(frames.message);
  }

  async #page({ channel: state }: Subscription, reader: DurableReader): Promise<ReadResult> {
    const channel: LogChannel = { appId: this.#options.appId, key: state.key };
    for (let retries = 0; ; retries++) {
      const policy = this.#options.policyFor(state);
      if (policy === undefined) throw new RangeError("the channel's namespace is gone");
      try {
        const from = reader.position;
        const limits = { limit: pageEntries, maxBytes: this.#pageBytes };
        return await this.#options.messageLog.read({ channel, policy, direction: "forward", from, ...limits });
      } catch (reason) {
        if (retries === maxRetries || !reader.current) throw reason;
        await new Promise<void>((resolve) => this.#options.clock.setTimer(retryMs, resolve));
      }
    }
  }

  /** Bytes of one page: half of what is pushed, so that there is room for another. */
  get #pageBytes(): number {
    return Math.min(pageBytes, this.#options.pushBytes / 2);
  }

  /** Lets what has arrived be handled between two pages. */
  #yield(): Promise<void> {
    return new Promise((resolve) => this.#options.clock.defer(resolve));
  }
}

function isSame(a: LogPosition, b: LogPosition): boolean {
  return a.epoch === b.epoch && a.offset === b.offset && a.tag === b.tag;
}

function tell(
  { session, channel }: Subscription,
  event: MessageInitShape<typeof SubscriptionEventSchema>["event"],
): void {
  session.link?.enqueue(encodeFrame({ kind: { case: "subscription", value: { channel: channel.channel, event } } }));
}

/** Whether a position is before another: in the same log, or in one that is gone since. */
function isBehind(position: LogPosition, other: LogPosition): boolean {
  return position.epoch < other.epoch || (position.epoch === other.epoch && position.offset < other.offset);
}
