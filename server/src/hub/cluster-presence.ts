import { hash } from "node:crypto";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { PresenceSection, PresenceWatch } from "@fanfare/proto/cluster/v1alpha";
import { GetPresenceRequestSchema, GetPresenceResponseSchema } from "@fanfare/proto/control/v1";
import { type Channel, PresenceEventSchema, PresencePageSchema, type PresenceQuery } from "@fanfare/proto/v1";
import type { Clock, Timer } from "../clock.ts";
import { recordBytes } from "../router/cluster/asks.ts";
import type { Cluster } from "../router/cluster/cluster.ts";
import { type ChannelKey, channelKey, channelOf } from "../wire/channel-key.ts";
import type { PresencePeers } from "./channel-presence.ts";
import type { ChannelTable } from "./channel-table.ts";
import { mergePresence } from "./merged-presence.ts";
import type { PresenceWord } from "./presence-audience.ts";

type PageQuery = Pick<PresenceQuery, "pageSize" | "pageToken" | "countsOnly">;

/** What a node tells another of a channel: whether it watches, or that it has come on the route. */
type Told = { readonly watching: boolean } | { readonly announcing: true };

/** When what another node has not got is told again, in milliseconds. */
const retryMs = 500;

/** What the presence of one app in a cluster is made of. */
export interface ClusterPresenceOptions {
  readonly appId: string;
  readonly cluster: Cluster;
  readonly clock: Clock;
  /** How long the members of a node that is lost are kept, in milliseconds: they may resume elsewhere. */
  readonly resumeWindowMs: number;
}

/**
 * The presence of one app's channels between nodes. Each node has a section of a channel, and tells it to the nodes that watch.
 *
 * A node that begins to watch asks all on the channel's route. A node that comes on the route announces itself to all on it, and who watches
 * asks it then. Each of the two is on the route before it reads it, so at least one sees the other. Where a route was lost meanwhile neither may have:
 * who puts itself on it again does the same again.
 */
export class ClusterPresence {
  readonly #options: ClusterPresenceOptions;
  readonly #unlisten: () => void;
  readonly #retries = new Set<Timer>();
  #isClosed = false;
  /** Set by the hub that it belongs to. */
  channels: ChannelTable | undefined;

  constructor(options: ClusterPresenceOptions) {
    this.#options = options;
    this.#unlisten = options.cluster.onDeath((peer) => this.#lost(peer));
  }

  /** The app is gone, or the node. */
  close(): void {
    this.#isClosed = true;
    this.#unlisten();
    for (const timer of this.#retries) timer.cancel();
    this.#retries.clear();
  }

  /** Sections that other nodes have told, of all channels. */
  get sections(): number {
    let sections = 0;
    for (const { presence } of this.channels?.all() ?? []) {
      for (const _ of presence?.remoteNodes ?? []) sections++;
    }
    return sections;
  }

  /** How a channel that opens here reaches its presence elsewhere. */
  peersOf(key: ChannelKey): PresencePeers {
    void this.#tellRoute(key, { announcing: true });
    return {
      send: (peer, word) => this.#send(peer, key, word),
      want: (watching) => this.#tellRoute(key, { watching }),
    };
  }

  /** Routes of channels were lost, or nodes did not know each other: what each was to tell the other then may not have been told. */
  lookAgain(isAffected: (key: ChannelKey) => boolean): void {
    for (const { key, presence } of this.channels?.all() ?? []) {
      if (presence === undefined || !isAffected(key)) continue;
      void this.#tellRoute(key, { announcing: true });
      if (presence.isWatched) void this.#tellRoute(key, { watching: true });
    }
  }

  /**
   * One page of who is in a channel, on all nodes.
   * @throws FanfareError INVALID_ARGUMENT for a token that is none, UNAVAILABLE if a node does not answer
   */
  async page(channel: Channel, query: PageQuery): Promise<MessageInitShape<typeof PresencePageSchema>> {
    const { cluster, appId } = this.#options;
    const own = this.channels?.get(channelKey(channel))?.presence?.page(query);
    const { pageSize, pageToken, countsOnly } = query;
    const request = create(GetPresenceRequestSchema, { channel, pageSize, pageToken, countsOnly });
    const value = { method: "getPresence", request: toBinary(GetPresenceRequestSchema, request) };
    const nodes = await cluster.broker.routes.read({ appId, key: channelKey(channel) });
    const ask = async (peer: bigint) => {
      const answer = await cluster.ask(peer, { case: "controlCall", value }, { appId });
      return answer.case === "controlResponse" ? fromBinary(GetPresenceResponseSchema, answer.value).page : undefined;
    };
    const pages = await Promise.all(cluster.othersOf(nodes).map(ask));
    const all = [own ?? create(PresencePageSchema), ...pages.filter((page) => page !== undefined)];
    const isOnSeveral = all.filter(({ sessions }) => sessions > 0).length > 1;
    const page = mergePresence(all, query, isOnSeveral ? await this.#countPlayers(channel, nodes) : undefined);
    const { sessions = 0, players = 0 } = page;
    // Each node has held its own members alone against what the namespace lists.
    return this.channels?.listsMembers(channel, sessions) === true ? page : { sessions, players };
  }

  /** Of another node, which counts. */
  playersOf(key: ChannelKey): { players: bigint[]; tooMany: boolean } {
    const players = [...(this.channels?.get(key)?.presence?.players ?? [])];
    return players.length > maxCounted
      ? { players: [], tooMany: true }
      : { players: players.map(markOf), tooMany: false };
  }

  /** Players with sessions on several nodes count once; undefined if they are too many for that. */
  async #countPlayers(channel: Channel, nodes: readonly bigint[]): Promise<number | undefined> {
    const { cluster, appId } = this.#options;
    const key = channelKey(channel);
    const question = { case: "presencePlayers" as const, value: { channelKey: key } };
    const answers = await Promise.all(cluster.othersOf(nodes).map((peer) => cluster.ask(peer, question, { appId })));
    const lists = answers.map((answer) => (answer.case === "presencePlayers" ? answer.value : undefined));
    const own = this.playersOf(key);
    if ([own, ...lists].some((list) => list === undefined || list.tooMany)) return undefined;
    return new Set([own, ...lists].flatMap((list) => list?.players ?? [])).size;
  }

  /** Another node watches, or announces itself. */
  onWatch(from: bigint, { channelKey: key, watching, announcing }: PresenceWatch): void {
    const presence = this.channels?.get(key)?.presence;
    if (announcing) {
      if (presence?.isWatched === true) this.#tell(from, key, { watching: true });
    } else if (!watching) presence?.unwatchPeer(from);
    else if (presence !== undefined) presence.watchPeer(from);
    // Nobody is here any more: what the other node may know of this one's section is over.
    else this.#send(from, key, emptySnapshot(this.#options.cluster.incarnation));
  }

  /** Another node tells of its section. */
  onSection(from: bigint, { channelKey: key, event }: PresenceSection): void {
    const presence = this.channels?.get(key)?.presence;
    if (event === undefined || presence === undefined) return;
    if (presence.isWatched) presence.receive(from, event);
    else this.#tell(from, key, { watching: false });
  }

  /** @returns the nodes that were told */
  async #tellRoute(key: ChannelKey, what: Told): Promise<readonly bigint[]> {
    const { cluster, appId } = this.#options;
    try {
      await this.channels?.routed(key);
    } catch {
      return []; // the channel closes, and with it this
    }
    const nodes = await cluster.broker.routes.read({ appId, key }).catch(() => cluster.peers);
    // What was wanted may have changed meanwhile; whoever is told the newest last is right.
    if ("watching" in what && !this.#isSo(key, what)) return [];
    const others = cluster.othersOf(nodes);
    for (const node of others) this.#tell(node, key, what);
    return others;
  }

  /** Until the other node has it, as long as it is the case. */
  #tell(peer: bigint, channelKey: ChannelKey, what: Told): void {
    const { cluster, appId } = this.#options;
    const bytes = recordBytes({ case: "presenceWatch", value: { appId, channelKey, ...what } });
    cluster.links.send(peer, { class: "control", bytes }, (outcome) => {
      if (outcome === "delivered") return;
      this.#later(peer, () => {
        if (this.#isSo(channelKey, what)) this.#tell(peer, channelKey, what);
      });
    });
  }

  /** Unless the other node is gone by then. */
  #later(peer: bigint, action: () => void): void {
    if (this.#isClosed) return;
    const { cluster, clock } = this.#options;
    const timer = clock.setTimer(retryMs, () => {
      this.#retries.delete(timer);
      if (!cluster.nodes.isDead(peer)) action();
    });
    this.#retries.add(timer);
  }

  #isSo(key: ChannelKey, what: Told): boolean {
    const presence = this.channels?.get(key)?.presence;
    return "watching" in what ? (presence?.isWatched ?? false) === what.watching : presence !== undefined;
  }

  #send(peer: bigint, key: ChannelKey, word: PresenceWord): void {
    const { cluster, appId } = this.#options;
    const event = create(PresenceEventSchema, { channel: channelOf(key), event: word });
    const bytes = recordBytes({ case: "presence", value: { appId, channelKey: key, event } });
    cluster.links.send(peer, { class: "control", bytes }, (outcome) => {
      // A word is missing, or may be: the whole section again, or that nobody is in it any more.
      if (outcome === "delivered") return;
      this.#later(peer, () => {
        const presence = this.channels?.get(key)?.presence;
        if (presence === undefined) this.#send(peer, key, emptySnapshot(cluster.incarnation));
        else presence.watchPeer(peer);
      });
    });
  }

  /** The sessions of a lost node may resume elsewhere; who has not within the window is gone. */
  #lost(peer: bigint): void {
    const affected = [...(this.channels?.all() ?? [])].filter(({ presence }) => presence !== undefined);
    for (const { presence } of affected) presence?.unwatchPeer(peer);
    const { clock, resumeWindowMs } = this.#options;
    clock.setTimer(resumeWindowMs, () => {
      for (const { presence } of this.channels?.all() ?? []) {
        if (presence !== undefined && [...presence.remoteNodes].includes(peer)) presence.forget(peer);
      }
    });
  }
}

/** Players of a node that are named for counting, at the most. */
const maxCounted = 10_000;

function markOf(playerId: string): bigint {
  return hash("md5", playerId, "buffer").readBigUInt64LE();
}

function emptySnapshot(section: bigint): PresenceWord {
  return { case: "snapshot", value: { section, number: 0n, members: [], first: true, last: true } };
}
