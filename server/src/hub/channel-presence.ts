import { create } from "@bufbuild/protobuf";
import { PresenceMode } from "@fanfare/proto/config/v1";
import {
  type Channel,
  ErrorCode,
  LeaveReason,
  type Payload,
  type PresenceEvent,
  type PresenceMember,
  PresenceMemberSchema,
  type PresencePage,
  PresencePageSchema,
} from "@fanfare/proto/v1";
import type { Clock, Timer } from "../clock.ts";
import { FanfareError } from "../fanfare-error.ts";
import { PresenceAudience, type PresenceWord } from "./presence-audience.ts";
import { onePage } from "./presence-paging.ts";
import { PresenceSection } from "./presence-section.ts";
import { RemoteSections } from "./remote-sections.ts";
import { SessionPresencePort, wordShare } from "./session-presence-port.ts";
import type { Subscription } from "./subscription.ts";

/** The presence of one channel on other nodes, as a channel sees it. */
export interface PresencePeers {
  /** Tells another node, which watches. */
  send(peer: bigint, word: PresenceWord): void;
  /**
   * The first here watches, or the last has ceased to: other nodes' sections are wanted, or no more.
   * @returns the nodes that were told so
   */
  want(wanted: boolean): Promise<readonly bigint[]>;
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

/** What the first watcher waits for. */
interface Awaited {
  /** Nodes whose sections have not come; undefined: it is not known yet which there are. */
  nodes: Set<bigint> | undefined;
  readonly timer: Timer;
}

/**
 * How long whoever watches first waits for what other nodes tell, in milliseconds; and how long who comes from another node does, because what was told there
 * can be on its way here.
 */
const sectionsMs = 500;
/** How long the entry of a session that goes on at another node stays, at the least and in ticks: until the other's is known. */
const minLingerMs = 1_000;
const lingerTicks = 5;

/**
 * Who is in a channel: on this node, which is what other nodes are told, and with what they tell on all of them, which is what sessions here are
 * told. To a session it is one section, that of the node it is at.
 *
 * Changes are gathered and told in ticks: first the diff to those who watch already, then one shared snapshot to those who began to
 * since the last tick. A tick without changes and newcomers does not happen. The first change after a rest is told at once. Other nodes watch as
 * sessions do. Where nobody watched before, the snapshot waits for what other nodes tell: who comes back to a channel at this node is not to see those
 * go who are at others. Whoever comes from another node waits as well: who has joined there a moment ago is not to be seen going, and coming again.
 */
export class ChannelPresence {
  readonly #options: ChannelPresenceOptions;
  /** On all nodes, as far as it is known. */
  readonly #view: PresenceSection;
  /** On this node. Alone it is the same. */
  readonly #own: PresenceSection;
  readonly #here: PresenceAudience<Subscription>;
  readonly #peers: PresenceAudience<bigint>;
  readonly #remote: RemoteSections;
  readonly #lingering = new Map<bigint, Timer>();
  #awaited: Awaited | undefined;
  /** Who has come from another node, and waits. */
  readonly #arriving = new Map<Subscription, Timer>();
  #timer: Timer | undefined;
  #lastTickMs = Number.NEGATIVE_INFINITY;
  #countsChanged = false;
  /** Called when nothing lingers any more. */
  onSettled: () => void = () => {};

  constructor(options: ChannelPresenceOptions) {
    this.#options = options;
    this.#view = new PresenceSection(options.section);
    this.#own = options.peers === undefined ? this.#view : new PresenceSection(options.section);
    this.#remote = new RemoteSections(this.#view);
    this.#here = new PresenceAudience(new SessionPresencePort(options));
    this.#peers = new PresenceAudience({
      send(to, word) {
        for (const peer of to) options.peers?.send(peer, word);
      },
      // Links have bounds of their own.
      hasRoom: () => true,
      room: async () => {},
    });
  }

  join(subscription: Subscription): void {
    const { session } = subscription;
    this.#lingering.get(session.origin)?.cancel();
    this.#lingering.delete(session.origin);
    const known = this.#own.members.get(session.origin);
    if (known !== undefined && known.generation === session.generation) return;
    this.#put(memberOf(subscription));
  }

  update(subscription: Subscription, data: Payload | undefined): void {
    subscription.presenceData = data;
    if (this.#own.members.has(subscription.session.origin)) this.#put(memberOf(subscription));
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
    // All connections of a node have queues of the same size.
    const { link } = subscription.session;
    if (link !== undefined) this.#view.frameBytes = Math.min(this.#view.frameBytes, link.queueBytes * wordShare);
    if (isFirst) this.#awaitSections();
    else this.#awaitNews(subscription);
    if (this.#awaited === undefined) this.#schedule();
  }

  #awaitSections(): void {
    const { peers, clock } = this.#options;
    if (peers === undefined) return;
    this.#cancelWait();
    const awaited: Awaited = { nodes: undefined, timer: clock.setTimer(sectionsMs, () => this.#endWait()) };
    this.#awaited = awaited;
    void peers.want(true).then((nodes) => {
      if (this.#awaited !== awaited) return;
      awaited.nodes = new Set(nodes.filter((node) => !this.#remote.isKnown(node)));
      if (awaited.nodes.size === 0) this.#endWait();
    });
  }

  #awaitNews(subscription: Subscription): void {
    const { clock } = this.#options;
    const leftMs = (subscription.session.movedAtMs ?? Number.NEGATIVE_INFINITY) + sectionsMs - clock.monotonicMs();
    if (leftMs <= 0 || this.#arriving.has(subscription)) return;
    const timer = clock.setTimer(leftMs, () => {
      this.#arriving.delete(subscription);
      this.#schedule();
    });
    this.#arriving.set(subscription, timer);
  }

  /** What is awaited of a node has come, or does not come any more. */
  #arrived(node: bigint): void {
    const nodes = this.#awaited?.nodes;
    if (nodes?.delete(node) === true && nodes.size === 0) this.#endWait();
  }

  #endWait(): void {
    this.#cancelWait();
    this.#schedule();
  }

  #cancelWait(): void {
    this.#awaited?.timer.cancel();
    this.#awaited = undefined;
  }

  unwatch(subscription: Subscription): void {
    const before = this.#here.size;
    this.#arriving.get(subscription)?.cancel();
    this.#arriving.delete(subscription);
    this.#here.delete(subscription);
    if (before === 0 || this.#here.size > 0) return;
    this.#cancelWait();
    this.#remote.clear();
    void this.#options.peers?.want(false);
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
    this.#remote.apply(peer, event);
    if (this.#remote.isKnown(peer)) this.#arrived(peer);
    this.#changed();
  }

  /** Another node is gone for good, and with it its members. */
  forget(peer: bigint): void {
    this.#peers.delete(peer);
    this.#remote.forget(peer);
    this.#arrived(peer);
    this.#changed();
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
    this.#cancelWait();
    for (const timer of this.#arriving.values()) timer.cancel();
    this.#arriving.clear();
    this.#here.dispose();
    for (const timer of this.#lingering.values()) timer.cancel();
    this.#lingering.clear();
  }

  /** The players on this node. */
  get players(): Iterable<string> {
    return this.#own.players;
  }

  /** One page of who is here, on this node. @throws FanfareError INVALID_ARGUMENT if the token is not one of ours */
  page(query: { pageSize: number; pageToken: string; countsOnly: boolean }): PresencePage {
    const { counts, members: all } = this.#own;
    if (query.countsOnly || !this.#tellsMembers(counts.sessions)) return create(PresencePageSchema, counts);
    const after = query.pageToken === "" ? 0n : parsePageToken(query.pageToken);
    const origins = [...all.keys()].filter((origin) => origin > after).sort((a, b) => (a < b ? -1 : 1));
    const wanted = origins.slice(0, query.pageSize || 100).map((origin) => all.get(origin) as PresenceMember);
    const members = [...onePage(wanted)];
    const nextPageToken = members.length < origins.length ? `${members.at(-1)?.origin}` : "";
    return create(PresencePageSchema, { ...counts, members, nextPageToken });
  }

  #tellsMembers(sessions: number): boolean {
    return this.#options.mode === PresenceMode.MEMBERS && sessions <= this.#options.maxMembers;
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

  #put(member: PresenceMember): void {
    this.#own.put(member);
    if (this.#own !== this.#view) this.#view.put(member);
    this.#changed();
  }

  #remove(origin: bigint, reason: LeaveReason): void {
    const member = this.#own.members.get(origin);
    if (member === undefined) return;
    this.#own.remove(origin, member.generation, reason);
    if (this.#own !== this.#view) this.#view.remove(origin, member.generation, reason);
    this.#changed();
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
    const countsChanged = this.#countsChanged;
    this.#countsChanged = false;
    const hidden = this.#remote.hidden;
    const { sessions, players } = this.#view.counts;
    const all = { sessions: sessions + hidden.sessions, players: players + hidden.players };
    this.#here.tell({
      waits: (subscription) => this.#awaited !== undefined || this.#arriving.has(subscription),
      countsChanged,
      diffs: this.#view.takeDiffs(),
      tellsMembers: hidden.sessions === 0 && this.#tellsMembers(all.sessions),
      counts: all,
      snapshots: () => this.#view.snapshots(),
    });
    if (this.#own === this.#view) return;
    const { counts } = this.#own;
    this.#peers.tell({
      waits: () => false,
      countsChanged,
      diffs: this.#own.takeDiffs(),
      // To nodes lists are told also where sessions are told counts: players on two nodes are to be counted once.
      tellsMembers: counts.sessions <= this.#options.maxMembers,
      counts,
      snapshots: () => this.#own.snapshots(),
    });
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
