import { type Channel, CloseCode, ErrorCode, LeaveReason, SubscriptionCloseReason } from "@fanfare/proto/v1";
import { FanfareError } from "../fanfare-error.ts";
import { TokenBucket } from "../limits/token-bucket.ts";
import type { CoalescedCursors } from "../log/coalesced-cursors.ts";
import type { LogPosition } from "../log/log-position.ts";
import type { MessageLog } from "../log/message-log.ts";
import type { NamespaceRegistry } from "../namespace/namespace-registry.ts";
import type { LocalDelivery, LocalReport, StoredEntry } from "../router/local-delivery.ts";
import { broadcastKey, type ChannelKey, groupKey, playerKey } from "../wire/channel-key.ts";
import type { OutboundFrame } from "../wire/outbound-frame.ts";
import type { AppHubOptions } from "./app-hub-options.ts";
import { ChannelTable } from "./channel-table.ts";
import { DurableDelivery } from "./durable/durable-delivery.ts";
import { DurableStarts } from "./durable/durable-starts.ts";
import { HeadChecks } from "./durable/head-checks.ts";
import { HubEvents, type SessionEndReason } from "./events.ts";
import { Memberships } from "./memberships.ts";
import { applyNamespaceChange, applyOwnRulesChange } from "./namespace-change.ts";
import { PendingCalls } from "./pending-calls.ts";
import { Players } from "./players.ts";
import { PublishResults } from "./publish-results.ts";
import { type Credentials, Session } from "./session.ts";
import type { Arrival, Ending, SessionName, SessionOwnership } from "./session-life.ts";
import type { SessionLink } from "./session-link.ts";
import { Subscriptions } from "./subscriptions.ts";
import { Tombstones } from "./tombstones.ts";

/** Who is here: sessions, players and groups of one app on this node. */
export class AppHub implements LocalDelivery<Session> {
  readonly appId: string;
  readonly namespaces: NamespaceRegistry;
  readonly memberships: Memberships;
  readonly events = new HubEvents();
  readonly tombstones: Tombstones;
  readonly channels: ChannelTable;
  readonly subscriptions: Subscriptions;
  readonly durable: DurableDelivery;
  readonly starts: DurableStarts;
  /** The player's cursors in durable channels. */
  readonly cursors: CoalescedCursors;
  readonly messageLog: MessageLog;
  /** Undefined: this node is alone. */
  ownership: SessionOwnership | undefined;
  readonly #options: AppHubOptions;
  readonly #headChecks: HeadChecks;
  readonly #sessions = new Map<string, Session>();
  readonly #players: Players;
  #closed = false;

  constructor(options: AppHubOptions) {
    const { clock, timing, limits, namespaces } = options;
    this.#options = options;
    this.appId = options.appId;
    this.namespaces = namespaces;
    // In a cluster the store bounds them: what it has holds, also where another node let a player have more.
    this.memberships = new Memberships(
      options.clusterPresence === undefined ? limits.maxMemberships : Number.POSITIVE_INFINITY,
    );
    this.tombstones = new Tombstones(clock, timing.resumeWindowMs);
    const policyFor = (channel: Channel) => namespaces.policyFor(channel);
    const { section, routes, clusterPresence } = options;
    this.#players = new Players(routes);
    const peersOf = clusterPresence && ((key: ChannelKey) => clusterPresence.peersOf(key));
    this.channels = new ChannelTable({ clock, tickMs: timing.presenceTickMs, section, policyFor, routes, peersOf });
    if (clusterPresence !== undefined) clusterPresence.channels = this.channels;
    this.subscriptions = new Subscriptions(this, limits.maxSubscriptions, options.counters, clock);
    this.messageLog = options.messageLog;
    this.cursors = options.cursors;
    this.starts = new DurableStarts(options.appId, options.messageLog, options.cursors, policyFor);
    this.durable = new DurableDelivery({
      appId: options.appId,
      messageLog: options.messageLog,
      clock,
      log: options.log,
      counters: options.counters,
      policyFor: ({ channel }) => policyFor(channel),
      pushBytes: limits.sendQueueBytes / 2,
      close: (subscription, reason, leave) => this.subscriptions.closeByServer(subscription, reason, leave),
    });
    this.#headChecks = new HeadChecks((state) => this.durable.lookAgain(state));
    namespaces.onChange((change) => applyNamespaceChange(this, change));
    namespaces.onOwnRulesChange((change) => applyOwnRulesChange(this, change));
  }

  /** All sessions of the app on this node. */
  get sessions(): ReadonlyMap<string, Session> {
    return this.#sessions;
  }

  sessionsOf(playerId: string): ReadonlySet<Session> {
    return this.#players.sessionsOf(playerId);
  }

  isOnline(playerId: string): boolean {
    return this.#players.has(playerId);
  }

  deliver(
    key: ChannelKey,
    frame: OutboundFrame,
    excluded: Session | undefined,
    done: (report: LocalReport) => void,
  ): boolean {
    const subscribers = this.channels.get(key)?.subscribers;
    if (subscribers === undefined) {
      done({ reached: 0, detached: 0, excluded: 0 });
      return true;
    }
    return this.#options.fanOut.deliver({ subscribers, serve: frame, excluded, done });
  }

  deliverStored(key: ChannelKey, entry: StoredEntry, done: (report: LocalReport) => void): boolean {
    const state = this.channels.get(key);
    const serve = state && this.durable.feed(state, entry);
    if (state === undefined || serve === undefined) {
      done({ reached: 0, detached: 0, excluded: 0 });
      return true;
    }
    const accepted = this.#options.fanOut.deliver({ subscribers: state.subscribers, serve, excluded: undefined, done });
    // Nothing may come behind it that shows the hole.
    if (!accepted) this.#headChecks.add(state);
    return accepted;
  }

  has(key: ChannelKey): boolean {
    return this.channels.get(key) !== undefined;
  }

  exclusionOf(key: ChannelKey, origin: bigint): Session | undefined {
    for (const { session } of this.channels.get(key)?.subscribers ?? []) if (session.origin === origin) return session;
    return undefined;
  }

  audience(key: ChannelKey): LocalReport {
    const subscriptions = [...(this.channels.get(key)?.subscribers ?? [])];
    const reached = subscriptions.filter(({ session }) => session.link !== undefined).length;
    return { reached, detached: subscriptions.length - reached, excluded: 0 };
  }

  cleared(key: ChannelKey, head: LogPosition): void {
    const state = this.channels.get(key);
    if (state !== undefined) this.durable.cleared(state, head);
  }

  missed(isAffected: (key: ChannelKey) => boolean): void {
    for (const state of this.channels.all()) if (isAffected(state.key)) this.subscriptions.tellMissed(state);
    this.#options.clusterPresence?.lookAgain(isAffected);
    this.lookAgain(isAffected);
  }

  lookAgain(isAffected: (key: ChannelKey) => boolean): void {
    for (const state of this.channels.all()) if (isAffected(state.key)) this.#headChecks.add(state);
  }

  newName(): SessionName {
    return { id: this.#options.randomSessionId(), origin: this.#options.randomOrigin() };
  }

  /**
   * Begins a session and opens the subscriptions the server owes it. The link is not used yet, so that `welcome` can go first:
   * call `attach` behind it.
   * @param name of a session that other nodes have been told of; default: a new one
   * @param moved it goes on here, and was at another node; default: false
   * @throws FanfareError LIMIT_EXCEEDED if the node has as many sessions as it may have; UNAUTHENTICATED if the app is gone
   */
  open(arrival: Arrival, name = this.newName(), moved = false): Session {
    const { clock, limits, counters } = this.#options;
    if (this.#closed) throw new FanfareError(ErrorCode.UNAUTHENTICATED, `the app "${this.appId}" was deleted`);
    // What was taken from another node is nowhere else; there was room when it was claimed.
    if (!moved) this.requireRoom();
    const session = new Session({
      ...name,
      startedAtMs: clock.nowMs(),
      credentials: arrival.credentials,
      features: arrival.features,
      attempt: arrival.attempt,
      generation: arrival.attempt,
      movedAtMs: moved ? clock.monotonicMs() : undefined,
      results: new PublishResults(limits.maxPendingRequests),
      calls: new PendingCalls(clock),
      publishBucket: new TokenBucket(limits.publishesPerSecond, limits.publishBurst, clock.monotonicMs()),
    });
    this.#sessions.set(session.id, session);
    this.#players.add(session);
    counters.sessions++;
    counters.sessionsDetached++;
    const type = moved ? ("session-resumed" as const) : ("session-opened" as const);
    this.events.emit({ type, sessionId: session.id, playerId: session.playerId });
    for (const key of this.serverChannels(session.credentials)) this.subscriptions.openByServer(session, key);
    return session;
  }

  /** @throws FanfareError LIMIT_EXCEEDED if the node has as many sessions as it may have */
  requireRoom(): void {
    const { counters, limits } = this.#options;
    if (counters.sessions < limits.maxSessions) return;
    throw new FanfareError(ErrorCode.LIMIT_EXCEEDED, "this node has as many sessions as limits.max_sessions allows");
  }

  /**
   * Goes on with a session under a new attempt. Its former link, if there is one, is returned for the caller to hand over or close; it
   * is no longer the session's.
   */
  resume(session: Session, arrival: Arrival): SessionLink | undefined {
    const former = session.link;
    session.attempt = arrival.attempt;
    session.features = arrival.features;
    if (former !== undefined) this.#unlink(session);
    session.calls.failAll(connectionEnded);
    session.cancelWindow?.();
    session.cancelWindow = undefined;
    this.applyCredentials(session, arrival.credentials);
    this.events.emit({ type: "session-resumed", sessionId: session.id, playerId: session.playerId });
    return former;
  }

  /** From now on the session's messages go to this link. */
  attach(session: Session, link: SessionLink): void {
    session.link = link;
    session.connectedAtMs = this.#options.clock.monotonicMs();
    this.#options.counters.sessionsDetached--;
  }

  /** The session's connection is gone. Ignored if the session has another link by now. `windowMs` 0 ends the session. */
  detach(session: Session, link: SessionLink, closeCode: number): void {
    if (session.link !== link || session.ended) return;
    if (session.departed) return this.closeDeparted(session);
    this.#unlink(session);
    session.calls.failAll(connectionEnded);
    this.events.emit({ type: "session-detached", sessionId: session.id, playerId: session.playerId, closeCode });
    this.openWindow(session);
  }

  /** A session without a connection waits for its resume. `windowMs` 0 ends it. */
  openWindow(session: Session): void {
    const windowMs = session.features.has("resume") ? this.#options.timing.resumeWindowMs : 0;
    const ending: Ending = { reason: "timeout", code: CloseCode.UNSPECIFIED, message: "" };
    if (windowMs === 0) return this.end(session, ending);
    const timer = this.#options.clock.setTimer(windowMs, () => this.end(session, ending));
    session.cancelWindow = () => timer.cancel();
    this.#boundDetached(session.playerId);
  }

  /** As many sessions of a player wait for their resume as it may have connections; past that the one that was connected longest ago ends. */
  #boundDetached(playerId: string): void {
    const detached = [...this.sessionsOf(playerId)].filter(({ cancelWindow }) => cancelWindow !== undefined);
    if (detached.length <= this.#options.limits.maxConnectionsPerPlayer) return;
    const oldest = detached.reduce((one, other) => (other.connectedAtMs < one.connectedAtMs ? other : one));
    this.end(oldest, { reason: "timeout", code: CloseCode.UNSPECIFIED, message: "" });
  }

  /** Ends a session: its subscriptions, its presence, and its connection. */
  end(session: Session, ending: Ending): void {
    if (session.ended) return;
    if (session.departed) {
      const { link } = session;
      if (ending.tombstone !== undefined) this.tombstones.add(session.id, ending.tombstone);
      // Where it goes on nobody knows of what its client does here; whoever kicks tells all nodes.
      if (ending.reason === "left") this.ownership?.departedEnded(session);
      this.closeDeparted(session);
      link?.close(ending.code, ending.message);
      return;
    }
    session.ended = true;
    session.cancelWindow?.();
    session.cancelWindow = undefined;
    if (ending.tombstone !== undefined) this.tombstones.add(session.id, ending.tombstone);
    for (const subscription of [...session.subscriptions.values()]) {
      this.subscriptions.close(subscription, leaveReasons[ending.reason]);
    }
    session.calls.failAll("the session has ended");
    const { link } = session;
    if (link !== undefined) {
      this.#unlink(session);
      link.close(ending.code, ending.message);
    }
    this.#forget(session);
    this.ownership?.ended(session, ending);
    this.events.emit({
      type: "session-closed",
      sessionId: session.id,
      playerId: session.playerId,
      reason: ending.reason,
    });
  }

  /** The app is gone: ends all sessions, and no other begins. */
  close(): void {
    this.#closed = true;
    const ending = { reason: "kicked", code: CloseCode.PERMISSION_DENIED, message: "the app was deleted" } as const;
    for (const session of [...this.#sessions.values()]) this.end(session, ending);
    this.events.end();
  }

  /** A session goes on at another node: it is no longer one of this node's, and keeps its connection until `closeDeparted`. */
  depart(session: Session): void {
    const { link } = session;
    session.departed = true;
    session.cancelWindow?.();
    session.cancelWindow = undefined;
    if (link !== undefined) this.#unlink(session);
    this.#forget(session);
    session.link = link;
  }

  /** Closes what a departed session still has here, without a word to it. */
  closeDeparted(session: Session): void {
    session.ended = true;
    session.link = undefined;
    session.calls.failAll(connectionEnded);
    for (const subscription of [...session.subscriptions.values()]) {
      this.subscriptions.close(subscription, LeaveReason.LEFT);
    }
    this.ownership?.departedClosed(session);
  }

  /** Takes over a new token: memberships it brings are opened, and what it no longer allows is closed. */
  applyCredentials(session: Session, credentials: Credentials): void {
    const before = session.credentials.groups;
    session.credentials = credentials;
    for (const group of credentials.groups) {
      if (!before.includes(group)) this.subscriptions.announceOpened(session, groupKey(group));
    }
    for (const group of before) this.#loseMembership(session, group);
    for (const subscription of [...session.subscriptions.values()]) {
      if (subscription.byServer || this.subscriptions.isAllowed(session, subscription.channel.channel)) continue;
      this.subscriptions.closeByServer(subscription, SubscriptionCloseReason.PERMISSION, LeaveReason.KICKED);
    }
  }

  /** Whether the player of a session is a member, by the store or by its token. */
  isMember(session: Session, group: string): boolean {
    return session.credentials.groups.includes(group) || this.memberships.has(session.playerId, group);
  }

  /**
   * Makes a player a member and subscribes the sessions it has. False: was one already.
   * @throws FanfareError LIMIT_EXCEEDED
   */
  join(playerId: string, group: string): boolean {
    if (!this.memberships.add(playerId, group)) return false;
    // In a cluster it is told once, by the node that has stored it.
    if (this.ownership === undefined) this.events.emit({ type: "membership-joined", playerId, group });
    for (const session of this.sessionsOf(playerId)) this.subscriptions.announceOpened(session, groupKey(group));
    return true;
  }

  /** Ends a membership and what it had opened. False: there was none. */
  leave(playerId: string, group: string): boolean {
    if (!this.memberships.remove(playerId, group)) return false;
    if (this.ownership === undefined) this.events.emit({ type: "membership-left", playerId, group });
    for (const session of this.sessionsOf(playerId)) this.#loseMembership(session, group);
    return true;
  }

  /** The channels the server subscribes a session to by itself. */
  serverChannels({ playerId, groups: ofToken }: Pick<Credentials, "playerId" | "groups">): ChannelKey[] {
    const groups = new Set([...this.memberships.groupsOf(playerId), ...ofToken]);
    return [playerKey(playerId), broadcastKey, ...[...groups].map(groupKey)];
  }

  /** Closes a group's subscription if it rested on a membership that is gone; one that the client asked for, if it may not keep it. */
  #loseMembership(session: Session, group: string): void {
    if (this.isMember(session, group)) return;
    const subscription = session.subscriptions.get(groupKey(group));
    if (subscription === undefined) return;
    subscription.byServer = false;
    if (!subscription.byClient) {
      this.subscriptions.closeByServer(subscription, SubscriptionCloseReason.LEFT, LeaveReason.KICKED);
    } else if (!this.subscriptions.isAllowed(session, subscription.channel.channel)) {
      this.subscriptions.closeByServer(subscription, SubscriptionCloseReason.PERMISSION, LeaveReason.KICKED);
    }
  }

  #unlink(session: Session): void {
    session.link = undefined;
    this.#options.counters.sessionsDetached++;
  }

  #forget(session: Session): void {
    this.#sessions.delete(session.id);
    if (this.#players.remove(session)) this.ownership?.playerLeft(session.playerId);
    this.#options.counters.sessions--;
    this.#options.counters.sessionsDetached--;
  }
}

const connectionEnded = "the connection ended before an answer; the call may have been carried out";

const leaveReasons: Record<SessionEndReason, LeaveReason> = {
  left: LeaveReason.LEFT,
  timeout: LeaveReason.TIMEOUT,
  kicked: LeaveReason.KICKED,
};
