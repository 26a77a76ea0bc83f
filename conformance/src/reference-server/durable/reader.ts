import { type Channel, GapReason, SkipReason } from "@fanfare/proto/v1";
import type { Subscription } from "../channel.ts";
import type { Connection } from "../connection.ts";
import { isExpired } from "../message-body.ts";
import type { Session } from "../session.ts";
import type { ChannelLog, Entry, Place } from "./channel-log.ts";
import { gapFor, type Plan } from "./start.ts";

/** Entries that are sent before others get their turn. */
const pageEntries = 8;

/**
 * Serves one durable subscription of one connection. There is one way to do so, in the replay and after it: what the log has behind the
 * position is sent as long as the send queue has room, and more when it has room again.
 */
export class Reader {
  readonly #session: Session;
  readonly #channel: Channel;
  readonly #log: ChannelLog;
  /** The one that its session had when it was woken first. */
  #connection: Connection | undefined;
  #position: Place;
  /** `caught_up` is owed when this offset is reached. */
  #replayTo: bigint | undefined;
  #scheduled = false;
  #stopped = false;

  constructor(session: Session, channel: Channel, { position, head }: Plan) {
    this.#session = session;
    this.#channel = channel;
    this.#log = session.app.durable(channel).log;
    const isBefore = session.app.breaks.has("after-sent-again") && position.offset > 0n;
    this.#position = isBefore ? { ...position, offset: position.offset - 1n } : position;
    this.#replayTo = head.offset > position.offset ? head.offset : undefined;
  }

  stop(): void {
    this.#stopped = !this.#session.app.breaks.has("former-replay-goes-on");
  }

  /** Something may have been stored, or there may be room again. */
  wake(): void {
    this.#connection ??= this.#session.connection;
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#page();
    });
  }

  /** The log was cleared. */
  cleared(): void {
    if (this.#session.app.breaks.has("clear-untold")) this.#position = this.#log.head;
    else this.wake();
  }

  #page(): void {
    const { breaks } = this.#session.app;
    const connection = this.#connection;
    if (breaks.has("caught-up-early")) this.#announce(connection, true);
    for (let sent = 0; sent < pageEntries; sent++) {
      if (this.#stopped || connection === undefined || !connection.isAlive) return;
      if (!connection.hasRoom && !breaks.has("durable-pushed-anyway")) return;
      this.#settlePlace(connection);
      const entry = this.#log.after(this.#position.offset);
      if (entry === undefined) return this.#announce(connection, false);
      const isLeftOut = breaks.has("replay-ends-before-the-head") && entry.offset === this.#replayTo;
      if (!isLeftOut) this.#send(connection, entry);
      this.#position = { epoch: this.#position.epoch, offset: entry.offset, tag: entry.tag };
    }
    this.wake();
  }

  /** Tells a gap where the log does not go on from the position, and goes on behind it. */
  #settlePlace(connection: Connection): void {
    const { breaks } = this.#session.app;
    const verdict = breaks.has("after-sent-again") ? "ok" : this.#log.verdictOf(this.#position);
    if (verdict === "ok") return;
    const { position, gap } = gapFor(this.#log, this.#position, verdict, breaks);
    this.#position = position;
    this.#replayTo = undefined;
    const isUntold = breaks.has("trimmed-while-behind-untold") && gap.reason === GapReason.TRIMMED;
    if (isUntold) return;
    connection.send({ case: "subscription", value: { channel: this.#channel, event: { case: "gap", value: gap } } });
  }

  #announce(connection: Connection | undefined, early: boolean): void {
    const { breaks } = this.#session.app;
    const isReached = this.#replayTo !== undefined && (early || this.#position.offset >= this.#replayTo);
    if (!isReached || breaks.has("no-caught-up")) return;
    this.#replayTo = undefined;
    const event = { case: "caughtUp" as const, value: { position: this.#position } };
    connection?.send({ case: "subscription", value: { channel: this.#channel, event } });
  }

  #send(connection: Connection, entry: Entry): void {
    const { breaks } = this.#session.app;
    const { body, offset, tag } = entry;
    const previousTag = breaks.has("previous-tag-wrong") ? entry.previousTag ^ 1 : entry.previousTag;
    const reason = this.#skipReason(entry);
    if (reason !== undefined) return this.#skip(connection, entry, reason);
    const log = { offset, tag, previousTag };
    const isSwapped = breaks.has("offsets-out-of-order") && offset % 4n === 0n;
    const send = () => connection.message({ ...body, log }, this.#skipFrame(entry, SkipReason.EXPIRED));
    if (isSwapped) setTimeout(send, 5);
    else send();
    if (breaks.has("replay-duplicated") && this.#replayTo === offset) send();
  }

  #skipReason({ body, deleted, excluded }: Entry): SkipReason | undefined {
    const { app, origin } = this.#session;
    if (deleted && !app.breaks.has("deleted-still-sent")) return SkipReason.DELETED;
    if (excluded === origin && !app.breaks.has("exclude-self-ignored")) return SkipReason.EXCLUDED;
    return isExpired(body) && !app.breaks.has("expired-replayed") ? SkipReason.EXPIRED : undefined;
  }

  #skip(connection: Connection, entry: Entry, reason: SkipReason): void {
    const { breaks } = this.#session.app;
    if (breaks.has("excluded-not-skipped") && reason === SkipReason.EXCLUDED) return;
    if (breaks.has("deleted-not-skipped") && reason === SkipReason.DELETED) return;
    connection.send(this.#skipFrame(entry, reason));
  }

  #skipFrame({ offset, tag, previousTag }: Entry, reason: SkipReason) {
    const { breaks } = this.#session.app;
    const value = {
      channel: this.#channel,
      fromOffset: offset,
      toOffset: offset,
      tag: breaks.has("skip-without-tag") ? 0 : tag,
      previousTag,
      reason: breaks.has("skips-without-reason") ? SkipReason.UNSPECIFIED : reason,
    };
    return { case: "skip" as const, value };
  }
}

/** Begins to serve a subscription; ends what served it before. */
export function startReader(session: Session, subscription: Subscription, plan: Plan): void {
  subscription.reader?.stop();
  subscription.reader = new Reader(session, subscription.channel, plan);
}
