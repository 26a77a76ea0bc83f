import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { PresenceMode } from "@fanfare/proto/config/v1";
import {
  type Channel,
  ErrorCode,
  type LeaveReason,
  type Payload,
  type PresenceEventSchema,
  type PresenceLeave,
  PresenceLeaveSchema,
  type PresenceMember,
  PresenceMemberSchema,
  type PresencePage,
  PresencePageSchema,
} from "@fanfare/proto/v1";
import type { Clock, Timer } from "../clock.ts";
import { FanfareError } from "../fanfare-error.ts";
import { encodeFrame } from "../wire/frame-encoding.ts";
import type { OutboundFrame } from "../wire/outbound-frame.ts";
import { payloadBytes } from "../wire/payload-bytes.ts";
import type { Subscription } from "./subscription.ts";

/** What a channel's presence needs from outside. */
export interface ChannelPresenceOptions {
  readonly channel: Channel;
  readonly mode: PresenceMode;
  /** Sessions from which on counts alone are told. */
  readonly maxMembers: number;
  /** How often changes are told, in milliseconds. */
  readonly tickMs: number;
  /** Names this node's section. */
  readonly section: bigint;
  readonly clock: Clock;
}

/** Members in one frame, at the most. */
const maxFrameMembers = 256;
/** About how many bytes one frame has at the most, unless one member alone has more; far below what FF-TR-012 allows. */
const maxFrameBytes = 256 * 1024;

/**
 * Who is in a channel on this node: one section of its presence.
 *
 * Changes are gathered and told in ticks: first the diff to those who watch already, then one shared snapshot to those who began to
 * since the last tick. A tick without changes and newcomers does not happen. The first change after a rest is told at once.
 */
export class ChannelPresence {
  readonly #options: ChannelPresenceOptions;
  readonly #members = new Map<bigint, PresenceMember>();
  readonly #players = new Map<string, number>();
  readonly #watchers = new Set<Subscription>();
  readonly #newcomers = new Set<Subscription>();
  readonly #joined = new Map<bigint, PresenceMember>();
  readonly #updated = new Map<bigint, PresenceMember>();
  readonly #left = new Map<bigint, PresenceLeave>();
  #number = 0n;
  #timer: Timer | undefined;
  #lastTickMs = Number.NEGATIVE_INFINITY;
  #toldCounts = false;
  #countsChanged = false;

  constructor(options: ChannelPresenceOptions) {
    this.#options = options;
  }

  join(subscription: Subscription): void {
    const { session } = subscription;
    if (this.#members.has(session.origin)) return;
    const member = memberOf(subscription);
    this.#members.set(session.origin, member);
    this.#players.set(session.playerId, (this.#players.get(session.playerId) ?? 0) + 1);
    // A diff is applied in the order joined, updated, left: who left and came back within one tick has changed, and is not told as gone.
    if (this.#left.delete(session.origin)) this.#updated.set(session.origin, member);
    else this.#joined.set(session.origin, member);
    this.#changed();
  }

  update(subscription: Subscription, data: Payload | undefined): void {
    subscription.presenceData = data;
    const { origin } = subscription.session;
    if (!this.#members.has(origin)) return;
    const member = memberOf(subscription);
    this.#members.set(origin, member);
    if (this.#joined.has(origin)) this.#joined.set(origin, member);
    else this.#updated.set(origin, member);
    this.#changed();
  }

  leave(subscription: Subscription, reason: LeaveReason): void {
    this.unwatch(subscription);
    const { origin, playerId, generation } = subscription.session;
    if (!this.#members.delete(origin)) return;
    const count = (this.#players.get(playerId) ?? 1) - 1;
    if (count === 0) this.#players.delete(playerId);
    else this.#players.set(playerId, count);
    this.#updated.delete(origin);
    // Who came and went within one tick was never told; telling the leave too would be harmless but useless.
    if (!this.#joined.delete(origin)) {
      this.#left.set(origin, create(PresenceLeaveSchema, { origin, generation, playerId, reason }));
    }
    this.#changed();
  }

  /** Sends a snapshot at the next tick and changes from then on. Called again, it sends a new snapshot. */
  watch(subscription: Subscription): void {
    this.#watchers.delete(subscription);
    this.#newcomers.add(subscription);
    this.#schedule();
  }

  unwatch(subscription: Subscription): void {
    this.#watchers.delete(subscription);
    this.#newcomers.delete(subscription);
  }

  /** Nobody is here any more. */
  get isEmpty(): boolean {
    return this.#members.size === 0 && this.#watchers.size === 0 && this.#newcomers.size === 0;
  }

  /** Stops the timer, when the channel has gone. */
  dispose(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** One page of who is here. @throws FanfareError INVALID_ARGUMENT if the token is not one of ours */
  page(query: { pageSize: number; pageToken: string; countsOnly: boolean }): PresencePage {
    const counts = { sessions: this.#members.size, players: this.#players.size };
    if (query.countsOnly || !this.#tellsMembers) return create(PresencePageSchema, counts);
    const after = query.pageToken === "" ? 0n : parsePageToken(query.pageToken);
    const origins = [...this.#members.keys()].filter((origin) => origin > after).sort((a, b) => (a < b ? -1 : 1));
    const wanted = origins.slice(0, query.pageSize || 100).map((origin) => this.#members.get(origin) as PresenceMember);
    const [members = []] = framesFull(wanted, memberBytes, Number.POSITIVE_INFINITY);
    const nextPageToken = members.length < origins.length ? `${members.at(-1)?.origin}` : "";
    return create(PresencePageSchema, { ...counts, members, nextPageToken });
  }

  get #tellsMembers(): boolean {
    return this.#options.mode === PresenceMode.MEMBERS && this.#members.size <= this.#options.maxMembers;
  }

  #changed(): void {
    this.#countsChanged = true;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#timer !== undefined) return;
    const { clock, tickMs } = this.#options;
    const delayMs = Math.max(0, this.#lastTickMs + tickMs - clock.monotonicMs());
    this.#timer = clock.setTimer(delayMs, () => this.#tick());
  }

  #tick(): void {
    this.#timer = undefined;
    this.#lastTickMs = this.#options.clock.monotonicMs();
    if (!this.#tellsMembers) this.#tellCounts();
    else {
      if (this.#toldCounts) this.#everybodyAnew();
      else this.#tellDiff();
      this.#tellSnapshot();
    }
    this.#joined.clear();
    this.#updated.clear();
    this.#left.clear();
    this.#countsChanged = false;
    for (const subscription of this.#newcomers) this.#watchers.add(subscription);
    this.#newcomers.clear();
  }

  /** After a time of counts alone, everybody gets a snapshot. */
  #everybodyAnew(): void {
    this.#toldCounts = false;
    this.#number++;
    for (const subscription of this.#watchers) this.#newcomers.add(subscription);
    this.#watchers.clear();
  }

  #tellCounts(): void {
    this.#toldCounts = true;
    const value = { sessions: this.#members.size, players: this.#players.size };
    const frame = this.#frame({ case: "counts", value });
    if (this.#countsChanged) send(this.#watchers, frame);
    send(this.#newcomers, frame);
  }

  #tellDiff(): void {
    const changes: Change[] = [
      ...[...this.#joined.values()].map((member) => ({ kind: "joined" as const, member })),
      ...[...this.#updated.values()].map((member) => ({ kind: "updated" as const, member })),
      ...[...this.#left.values()].map((leave) => ({ kind: "left" as const, leave })),
    ];
    for (const part of framesFull(changes, changeBytes)) {
      this.#number++;
      if (this.#watchers.size === 0) continue;
      const value = {
        section: this.#options.section,
        number: this.#number,
        joined: part.flatMap((change) => (change.kind === "joined" ? [change.member] : [])),
        updated: part.flatMap((change) => (change.kind === "updated" ? [change.member] : [])),
        left: part.flatMap((change) => (change.kind === "left" ? [change.leave] : [])),
      };
      send(this.#watchers, this.#frame({ case: "diff", value }));
    }
  }

  #tellSnapshot(): void {
    if (this.#newcomers.size === 0) return;
    const { section } = this.#options;
    const pages = framesFull([...this.#members.values()], memberBytes);
    if (pages.length === 0) pages.push([]);
    for (const [i, members] of pages.entries()) {
      const value = { section, number: this.#number, members, first: i === 0, last: i === pages.length - 1 };
      send(this.#newcomers, this.#frame({ case: "snapshot", value }));
    }
  }

  #frame(event: MessageInitShape<typeof PresenceEventSchema>["event"]): OutboundFrame {
    return encodeFrame({ kind: { case: "presenceEvent", value: { channel: this.#options.channel, event } } });
  }
}

function send(subscriptions: Iterable<Subscription>, frame: OutboundFrame): void {
  for (const subscription of subscriptions) subscription.session.link?.enqueue(frame);
}

function memberOf({ session, presenceData }: Subscription): PresenceMember {
  const { origin, playerId, generation } = session;
  const base = { origin, generation, playerId };
  return create(PresenceMemberSchema, presenceData === undefined ? base : { ...base, data: presenceData });
}

type Change =
  | { readonly kind: "joined" | "updated"; readonly member: PresenceMember }
  | { readonly kind: "left"; readonly leave: PresenceLeave };

function changeBytes(change: Change): number {
  return change.kind === "left" ? memberOverhead + change.leave.playerId.length : memberBytes(change.member);
}

/** What a member takes beside its names and data, generously. */
const memberOverhead = 32;

function memberBytes({ playerId, data }: PresenceMember): number {
  return memberOverhead + playerId.length + (data?.type.length ?? 0) + payloadBytes(data);
}

/** Cuts a list into parts of which each fits into one frame. */
function framesFull<T>(items: readonly T[], bytesOf: (item: T) => number, maxItems = maxFrameMembers): T[][] {
  const parts: T[][] = [];
  let part: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const more = bytesOf(item);
    if (part.length > 0 && (part.length >= maxItems || bytes + more > maxFrameBytes)) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(item);
    bytes += more;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}

function parsePageToken(token: string): bigint {
  if (/^\d{1,20}$/.test(token)) return BigInt(token);
  throw new FanfareError(ErrorCode.INVALID_ARGUMENT, "the page token is not one that this server gave", {
    field: "page_token",
  });
}
