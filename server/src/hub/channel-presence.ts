import { create } from "@bufbuild/protobuf";
import { PresenceMode } from "@fanfare/proto/config/v1";
import {
  type Channel,
  ErrorCode,
  LeaveReason,
  type Payload,
  type PresenceEvent,
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
import { PresenceAudience, type PresenceWord } from "./presence-audience.ts";
import { diffWords, onePage, type PresenceChange, snapshotWords } from "./presence-paging.ts";
import { RemoteSections } from "./remote-sections.ts";
import type { Subscription } from "./subscription.ts";

/** The presence of one channel on other nodes, as a channel sees it. */
export interface PresencePeers {
  /** Tells another node, which watches. */
  send(peer: bigint, word: PresenceWord): void;
  /** The first here watches, or the last has ceased to: other nodes' sections are wanted, or no more. */
  want(wanted: boolean): void;
}

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
  /** Undefined: this node is alone. */
  readonly peers?: PresencePeers | undefined;
}

/** How long the entry of a session that goes on at another node stays, at the least and in ticks: until the other's is known. */
const minLingerMs = 1_000;
const lingerTicks = 5;

/**
 * Who is in a channel on this node: one section of its presence; and what other nodes tell of theirs.
 *
 * Changes are gathered and told in ticks: first the diff to those who watch already, then one shared snapshot to those who began to
 * since the last tick. A tick without changes and newcomers does not happen. The first change after a rest is told at once. Other nodes watch
 * as sessions here do, and get this section alone; what they tell goes on to the sessions here as it comes.
 */
export class ChannelPresence {
  readonly #options: ChannelPresenceOptions;
  readonly #members = new Map<bigint, PresenceMember>();
  readonly #players = new Map<string, number>();
  readonly #here: PresenceAudience<Subscription>;
  readonly #peers: PresenceAudience<bigint>;
  readonly #remote = new RemoteSections();
  readonly #joined = new Map<bigint, PresenceMember>();
  readonly #updated = new Map<bigint, PresenceMember>();
  readonly #left = new Map<bigint, PresenceLeave>();
  readonly #lingering = new Map<bigint, Timer>();
  #number = 0n;
  #timer: Timer | undefined;
  #lastTickMs = Number.NEGATIVE_INFINITY;
  #countsChanged = false;
  /** Called when nothing lingers any more. */
  onSettled: () => void = () => {};

  constructor(options: ChannelPresenceOptions) {
    this.#options = options;
    this.#here = new PresenceAudience((to, word) => {
      const frame = encodeFrame({ kind: { case: "presenceEvent", value: { channel: options.channel, event: word } } });
      for (const { session } of to) session.link?.enqueue(frame);
    });
    this.#peers = new PresenceAudience((to, word) => {
      for (const peer of to) options.peers?.send(peer, word);
    });
  }

  join(subscription: Subscription): void {
    const { session } = subscription;
    this.#lingering.get(session.origin)?.cancel();
    this.#lingering.delete(session.origin);
    const known = this.#members.get(session.origin);
    if (known !== undefined && known.generation === session.generation) return;
    const member = memberOf(subscription);
    this.#members.set(session.origin, member);
    if (known === undefined) {
      this.#players.set(session.playerId, (this.#players.get(session.playerId) ?? 0) + 1);
      // A diff is applied in the order joined, updated, left: who left and came back within one tick has changed, and is not told as gone.
      if (this.#left.delete(session.origin)) this.#updated.set(session.origin, member);
      else this.#joined.set(session.origin, member);
    } else this.#changedMember(session.origin, member);
    this.#changed();
  }

  update(subscription: Subscription, data: Payload | undefined): void {
    subscription.presenceData = data;
    const { origin } = subscription.session;
    if (!this.#members.has(origin)) return;
    const member = memberOf(subscription);
    this.#members.set(origin, member);
    this.#changedMember(origin, member);
    this.#changed();
  }

  leave(subscription: Subscription, reason: LeaveReason): void {
    this.unwatch(subscription);
    const { origin, departed } = subscription.session;
    if (departed) this.#linger(origin);
    else this.#remove(origin, reason);
  }

  /** Sends a snapshot at the next tick and changes from then on. Called again, it sends a new snapshot. */
  watch(subscription: Subscription): void {
    const isFirst = this.#here.size === 0;
    this.#here.add(subscription);
    this.#schedule();
    if (isFirst) this.#options.peers?.want(true);
  }

  unwatch(subscription: Subscription): void {
    const before = this.#here.size;
    this.#here.delete(subscription);
    if (before === 0 || this.#here.size > 0) return;
    this.#remote.clear();
    this.#options.peers?.want(false);
  }

  /** Another node watches, or has lost what it was told: it gets a snapshot at the next tick. */
  watchPeer(peer: bigint): void {
    this.#peers.add(peer);
    this.#schedule();
  }

  unwatchPeer(peer: bigint): void {
    this.#peers.delete(peer);
  }

  /** Sessions here watch. */
  get isWatched(): boolean {
    return this.#here.size > 0;
  }

  /** Nodes whose sections are known. */
  get remoteNodes(): Iterable<bigint> {
    return this.#remote.nodes;
  }

  /** A word of another node about its section. Ignored when nobody here watches. */
  receive(peer: bigint, event: PresenceEvent): void {
    if (!this.isWatched) return;
    const isNews = this.#remote.apply(peer, event);
    this.#countsChanged = true;
    if (isNews && this.#tellsMembersHere) this.#here.forward(event.event);
    else this.#schedule();
  }

  /** Another node is gone for good, and with it its members. */
  forget(peer: bigint): void {
    this.#peers.delete(peer);
    const words = this.#remote.forget(peer);
    this.#countsChanged = true;
    if (this.#tellsMembersHere) for (const word of words) this.#here.forward(word);
    else this.#schedule();
  }

  /** An entry stays for a moment, because its session goes on at another node. */
  get lingers(): boolean {
    return this.#lingering.size > 0;
  }

  /** Stops the timers, when the channel has gone; other nodes that watch are told of who has left. */
  dispose(): void {
    if (this.#peers.size > 0 && this.#timer !== undefined) this.#tick();
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const timer of this.#lingering.values()) timer.cancel();
    this.#lingering.clear();
  }

  /** One page of who is here, on this node. @throws FanfareError INVALID_ARGUMENT if the token is not one of ours */
  page(query: { pageSize: number; pageToken: string; countsOnly: boolean }): PresencePage {
    const counts = { sessions: this.#members.size, players: this.#players.size };
    if (query.countsOnly || !this.#tellsMembers(this.#members.size)) return create(PresencePageSchema, counts);
    const after = query.pageToken === "" ? 0n : parsePageToken(query.pageToken);
    const origins = [...this.#members.keys()].filter((origin) => origin > after).sort((a, b) => (a < b ? -1 : 1));
    const wanted = origins.slice(0, query.pageSize || 100).map((origin) => this.#members.get(origin) as PresenceMember);
    const members = [...onePage(wanted)];
    const nextPageToken = members.length < origins.length ? `${members.at(-1)?.origin}` : "";
    return create(PresencePageSchema, { ...counts, members, nextPageToken });
  }

  #tellsMembers(sessions: number): boolean {
    return this.#options.mode === PresenceMode.MEMBERS && sessions <= this.#options.maxMembers;
  }

  get #tellsMembersHere(): boolean {
    return this.#tellsMembers(this.#members.size + this.#remote.counts().sessions);
  }

  #linger(origin: bigint): void {
    const { clock, tickMs } = this.#options;
    const timer = clock.setTimer(Math.max(minLingerMs, lingerTicks * tickMs), () => {
      this.#lingering.delete(origin);
      this.#remove(origin, LeaveReason.LEFT);
      if (!this.lingers) this.onSettled();
    });
    this.#lingering.get(origin)?.cancel();
    this.#lingering.set(origin, timer);
  }

  #remove(origin: bigint, reason: LeaveReason): void {
    const member = this.#members.get(origin);
    if (member === undefined) return;
    this.#members.delete(origin);
    const { playerId, generation } = member;
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

  #changedMember(origin: bigint, member: PresenceMember): void {
    if (this.#joined.has(origin)) this.#joined.set(origin, member);
    else this.#updated.set(origin, member);
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
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#lastTickMs = this.#options.clock.monotonicMs();
    const { section } = this.#options;
    const diffs = diffWords(section, this.#number, this.#changes());
    this.#number += BigInt(diffs.length);
    const own = { sessions: this.#members.size, players: this.#players.size };
    const { sessions, players } = this.#remote.counts();
    const ownSnapshot = () => snapshotWords(section, this.#number, this.#members.values());
    const news = { diffs, countsChanged: this.#countsChanged };
    this.#here.tell({
      ...news,
      tellsMembers: this.#tellsMembersHere,
      counts: { sessions: own.sessions + sessions, players: own.players + players },
      snapshots: () => [...ownSnapshot(), ...this.#remote.snapshots()],
    });
    this.#peers.tell({ ...news, tellsMembers: this.#tellsMembers(own.sessions), counts: own, snapshots: ownSnapshot });
    this.#joined.clear();
    this.#updated.clear();
    this.#left.clear();
    this.#countsChanged = false;
  }

  #changes(): PresenceChange[] {
    return [
      ...[...this.#joined.values()].map((member) => ({ kind: "joined" as const, member })),
      ...[...this.#updated.values()].map((member) => ({ kind: "updated" as const, member })),
      ...[...this.#left.values()].map((leave) => ({ kind: "left" as const, leave })),
    ];
  }
}

function memberOf({ session, presenceData }: Subscription): PresenceMember {
  const { origin, playerId, generation } = session;
  const base = { origin, generation, playerId };
  return create(PresenceMemberSchema, presenceData === undefined ? base : { ...base, data: presenceData });
}

function parsePageToken(token: string): bigint {
  if (/^\d{1,20}$/.test(token)) return BigInt(token);
  throw new FanfareError(ErrorCode.INVALID_ARGUMENT, "the page token is not one that this server gave", {
    field: "page_token",
  });
}
