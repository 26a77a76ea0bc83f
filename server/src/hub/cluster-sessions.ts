import { create, toBinary } from "@bufbuild/protobuf";
import {
  type EndSession,
  type FinishHandOver,
  type ReleasedSession,
  type ReleaseSession,
  SessionRecordSchema,
} from "@fanfare/proto/cluster/v1alpha";
import { CloseCode } from "@fanfare/proto/v1";
import type { Standing } from "../broker/standing-store.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../observe/log.ts";
import type { AnswerResult } from "../router/cluster/asks.ts";
import type { Cluster } from "../router/cluster/cluster.ts";
import { type ChannelKey, groupKey, groupOf, playerKey } from "../wire/channel-key.ts";
import type { AppHub } from "./app-hub.ts";
import { ClusterMemberships, type MembershipFacts } from "./cluster-memberships.ts";
import { HandOvers } from "./hand-overs.ts";
import { MovesNearDeaths } from "./moves-near-deaths.ts";
import { OtherOwners } from "./other-owners.ts";
import { releasedFrom } from "./released-session.ts";
import type { Credentials, Session } from "./session.ts";
import { SessionArrivals } from "./session-arrivals.ts";
import { type Ending, endedByClient, type SessionName, type SessionOwnership } from "./session-life.ts";

/** What the sessions of one app in a cluster are made of. */
export interface ClusterSessionsOptions {
  readonly hub: AppHub;
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly log: Log;
  readonly resumeWindowMs: number;
  /** Takes over what stands against a player. */
  readonly applyStanding: (playerId: string, standing: Standing) => void;
}

/** Who knocks. */
export interface Knock {
  readonly credentials: Credentials;
  readonly attempt: number;
  /** The session that a verified resume secret names. */
  readonly resumes: SessionName | undefined;
  readonly handOver: boolean;
  /** The channels that the client names. */
  readonly channels: readonly ChannelKey[];
}

/** What is to be done with who knocks. This node owns the session from now on, and its routes stand. */
export type SessionArrival =
  | { readonly kind: "new"; readonly name: SessionName }
  /** It is here. */
  | { readonly kind: "here"; readonly session: Session }
  /** It was at another node; `released` is what that knew, undefined if it is gone. */
  | {
      readonly kind: "moved";
      readonly name: SessionName;
      readonly released: ReleasedSession | undefined;
      /** The former owner need not serve the old connection any more: this one is served, or is not. */
      finish(isServed: boolean): void;
    }
  | { readonly kind: "refused"; readonly code: CloseCode; readonly message: string };

/** How long another node is waited for to count a player's connections, in milliseconds. */
const countMs = 1_500;
/** How much longer than its token and its window a session's entry lives in the store, in milliseconds: more than the greatest `leeway_s`. */
const slackMs = 360_000;
/** How long it lives there at most without a connection, in milliseconds. */
export const maxSessionLifeMs: number = 7 * 24 * 60 * 60_000;

/**
 * The sessions of one app, as all nodes see them: who owns which is decided by one atomic step in the broker's store, fenced by the attempt.
 *
 * A session that comes back at another node than it left is released by its former owner, which tells what it knew. If that is gone, the new
 * owner goes on from what the client says, and tells it of a gap.
 */
export class ClusterSessions implements SessionOwnership {
  readonly #options: ClusterSessionsOptions;
  readonly #appId: string;
  readonly #memberships: ClusterMemberships;
  readonly #arrivals = new SessionArrivals();
  readonly #otherOwners: OtherOwners;
  readonly #handOvers: HandOvers;
  readonly #moves: MovesNearDeaths;
  readonly #unlisten: () => void;

  constructor(options: ClusterSessionsOptions) {
    const { hub, cluster, clock, log, resumeWindowMs } = options;
    this.#options = options;
    this.#appId = hub.appId;
    this.#otherOwners = new OtherOwners(hub.appId, cluster, log);
    this.#handOvers = new HandOvers(hub, clock);
    this.#memberships = new ClusterMemberships(hub, cluster.broker.memberships);
    const tell = (session: Session): void => hub.subscriptions.tellAllMissed(session);
    this.#moves = new MovesNearDeaths({ clock, resumeWindowMs, tell });
    this.#unlisten = cluster.onDeath((_, hasLeft) => {
      if (!hasLeft) this.#moves.died();
    });
    hub.ownership = this;
  }

  /**
   * Finds out who knocks, and makes everything ready for it. `done` has to be called when the session is in the hub, or is not going to be: until then
   * a later attempt of the same session waits.
   * @returns `kick`: how the backend has ended the player's sessions meanwhile, this one included
   * @throws FanfareError UNAVAILABLE, LIMIT_EXCEEDED
   */
  async arrive(knock: Knock): Promise<{ readonly arrival: SessionArrival; kick(): Ending | undefined; done(): void }> {
    const { hub } = this.#options;
    const { playerId, groups } = knock.credentials;
    await using undo = new AsyncDisposableStack();
    const arriving = this.#arrivals.begin(playerId);
    undo.defer(() => {
      arriving.end();
      if (!hub.isOnline(playerId)) this.playerLeft(playerId);
    });
    const keys = new Set([playerKey(playerId), ...knock.channels, ...groups.map(groupKey)]);
    const named = hub.channels.hold(keys);
    undo.defer(named.release);
    await named.standing;
    const turn = knock.resumes && this.#arrivals.claim(knock.resumes.id);
    if (turn !== undefined) undo.defer(turn.end);
    await turn?.begun;
    // Before it is taken from where it is.
    if (knock.resumes !== undefined && !hub.sessions.has(knock.resumes.id)) hub.requireRoom();
    const kickedAtMs = await this.#load(playerId, arriving.changes);
    const memberOf = hub.memberships.groupsOf(playerId);
    const owed = memberOf.map(groupKey).filter((key) => !keys.has(key));
    const ofMember = hub.channels.hold(owed);
    undo.defer(ofMember.release);
    await ofMember.standing;
    const arrival = await this.#claim(knock, kickedAtMs);
    const resources = undo.move();
    const kick = () => arriving.kick() ?? turn?.kick();
    return { arrival, kick, done: () => void resources.disposeAsync() };
  }

  /**
   * Connections of a player on other nodes, as far as they answer in time. Asked for only where the player is on another node's account.
   */
  async connectedElsewhere(playerId: string): Promise<number> {
    const { cluster } = this.#options;
    const nodes = await cluster.broker.routes.read({ appId: this.#appId, key: playerKey(playerId) }).catch(() => []);
    const question = { case: "playerConnections" as const, value: { playerId } };
    const ask = (peer: bigint) => cluster.ask(peer, question, { appId: this.#appId, deadlineMs: countMs });
    const answers = await Promise.allSettled(cluster.othersOf(nodes).map(ask));
    return answers.reduce((sum, answer) => {
      const isCount = answer.status === "fulfilled" && answer.value.case === "playerConnections";
      return sum + (isCount ? Number(answer.value.value) : 0);
    }, 0);
  }

  /** Connections of a player here. */
  connectionsOf(playerId: string): number {
    return [...this.#options.hub.sessionsOf(playerId)].filter(({ link }) => link !== undefined).length;
  }

  /** Whether another node has claimed the session with a higher attempt since it arrived here. */
  isSuperseded({ id }: SessionName, attempt: number): boolean {
    return this.#arrivals.isSuperseded(id, attempt);
  }

  /** The backend ends sessions: those too that are on their way here, which the hub does not know yet, or elsewhere, which it knows no more. */
  kickMoving(target: { readonly playerId: string } | { readonly sessionId: string }, ending: Ending): void {
    this.#arrivals.kick(target, ending);
    const isMeant = ({ id, playerId }: Session): boolean =>
      "sessionId" in target ? id === target.sessionId : playerId === target.playerId;
    this.#handOvers.closeAll(isMeant, ending.code, ending.message);
  }

  /** The client has gone before it was welcomed. */
  abandon(arrival: SessionArrival): void {
    if (arrival.kind === "new") void this.#end(arrival.name.id, undefined);
  }

  /** Takes over what the former owner knew. */
  seed(session: Session, released: ReleasedSession | undefined): void {
    if (released === undefined) return;
    for (const { seq, outcome, code } of released.publishes) session.results.remember(Number(seq), outcome, code);
    for (const seq of released.underWay) session.results.leaveBehind(Number(seq));
    session.results.see(Number(released.lastSeq), false);
    session.results.see(Number(released.lastVolatileSeq), true);
    const nowMs = this.#options.clock.monotonicMs();
    session.publishBucket.charge(nowMs, session.publishBucket.level(nowMs) - released.publishTokens);
  }

  /** What a session that came here had at its former owner, and has not opened again. */
  tellDropped({ id, playerId, subscriptions }: Session, released: ReleasedSession | undefined): void {
    for (const { channelKey } of released?.subscriptions ?? []) {
      const group = groupOf(channelKey);
      if (group === undefined || subscriptions.has(channelKey)) continue;
      this.#options.hub.events.emit({ type: "unsubscribed", sessionId: id, playerId, group });
    }
  }

  /** The session lives by a new token. */
  extend({ id, credentials }: Session): void {
    const { cluster, log } = this.#options;
    cluster.broker.sessions
      .extend(this.#appId, id, cluster.incarnation, this.#lifeMs(credentials))
      .catch((reason: unknown) => log.debug("a session's entry was not extended", { reason: String(reason) }));
  }

  ended(session: Session, { tombstone }: Ending): void {
    this.#moves.left(session);
    void this.#end(session.id, tombstone);
  }

  playerLeft(playerId: string): void {
    if (this.#arrivals.has(playerId) || this.#handOvers.has(playerId)) return;
    this.#memberships.forget(playerId);
  }

  /** Another node, `from`, is where a session of this one has come back. */
  onRelease({ sessionId, handOver, attempt }: ReleaseSession, from: bigint): AnswerResult {
    const { hub } = this.#options;
    this.#arrivals.supersede(sessionId, attempt);
    const session = hub.sessions.get(sessionId);
    // It may have come back here since, and the question was long on its way.
    if (session === undefined || session.attempt >= attempt) {
      const endedCode = session === undefined ? hub.tombstones.get(sessionId) : undefined;
      return { case: "releasedSession", value: { unknown: true, endedCode: endedCode ?? 0 } };
    }
    const isHandedOver = handOver && session.link?.goingAway === true;
    // Who is handed over comes from here for sure.
    const isKnown = isHandedOver || !session.mayBeOld;
    const released = releasedFrom(session, this.#options.clock.monotonicMs());
    this.#depart(session, isHandedOver ? from : undefined);
    return { case: "releasedSession", value: isKnown ? { ...released, handedOver: isHandedOver } : { unknown: true } };
  }

  /** A session goes on at another node, or anew at this one. @param handedOverTo undefined: what it has here is closed */
  #depart(session: Session, handedOverTo?: bigint): void {
    const { hub, cluster } = this.#options;
    const { link } = session;
    cluster.counters.sessionsOut++;
    this.#moves.left(session);
    if (handedOverTo !== undefined) {
      this.#handOvers.begin(session, handedOverTo);
      return hub.depart(session);
    }
    hub.depart(session);
    hub.closeDeparted(session);
    link?.close(CloseCode.REPLACED, "a newer attempt of this session has another connection");
  }

  /** The app is gone: what other nodes have taken over is closed here, too. */
  close(): void {
    this.#unlisten();
    this.#handOvers.closeAll(() => true, CloseCode.PERMISSION_DENIED, "the app was deleted");
  }

  /** A session that came by hand-over is served here. */
  movedIn(session: Session): void {
    this.#moves.moved(session);
  }

  departedEnded(session: Session): void {
    const owner = this.#handOvers.ownerOf(session);
    if (owner !== undefined) this.#otherOwners.end(owner, session.id);
  }

  departedClosed(session: Session): void {
    this.#handOvers.closed(session);
    if (!this.#options.hub.isOnline(session.playerId)) this.playerLeft(session.playerId);
  }

  /** The session's new connection is served: what is still on its way here has arrived once every node knows the new routes. Or it is not. */
  async onFinish({ sessionId, closeCode }: FinishHandOver): Promise<AnswerResult> {
    const session = this.#handOvers.get(sessionId);
    if (session === undefined) return { case: "done", value: {} };
    if (closeCode !== 0) this.#handOvers.close(session, closeCode, "the session has not moved to its new connection");
    else {
      const isComplete = await this.#options.cluster.barrier();
      const { link } = session;
      if (!isComplete && !session.ended) {
        // Something may be on its way here by an older route: the client counts on a gap.
        this.#handOvers.close(session, CloseCode.GOING_AWAY, "another node has not said what it has sent");
        return { case: "done", value: {} };
      }
      if (!session.ended) this.#options.hub.closeDeparted(session);
      link?.handOver();
    }
    return { case: "done", value: {} };
  }

  /** A session that has come here, or is about to, was ended by its client on its old connection. */
  onEnd({ sessionId }: EndSession): AnswerResult {
    const { hub } = this.#options;
    this.#arrivals.kick({ sessionId }, endedByClient);
    const session = hub.sessions.get(sessionId) ?? this.#handOvers.get(sessionId);
    if (session !== undefined) hub.end(session, endedByClient);
    return { case: "done", value: {} };
  }

  /** A player's memberships were changed, somewhere. @throws FanfareError UNAVAILABLE: it has to be told again */
  applyMembership(change: MembershipFacts): Promise<void> {
    this.#arrivals.changed(change);
    return this.#memberships.apply(change);
  }

  /** Finds out what the store has of a player. @returns when the player's sessions were ended for the last time */
  async #load(playerId: string, changes: readonly MembershipFacts[]): Promise<number> {
    const { cluster, applyStanding } = this.#options;
    const [standing] = await Promise.all([
      cluster.broker.standing.get(this.#appId, playerId),
      this.#memberships.load(playerId, changes),
    ]);
    applyStanding(playerId, standing);
    return standing.kickedAtMs;
  }

  async #claim(knock: Knock, kickedAtMs: number): Promise<SessionArrival> {
    const { credentials, attempt, resumes, handOver } = knock;
    const { hub, cluster, resumeWindowMs } = this.#options;
    const name = resumes ?? hub.newName();
    const claim = {
      appId: this.#appId,
      sessionId: name.id,
      attempt,
      owner: cluster.incarnation,
      record: this.#record(name, credentials),
      lifeMs: this.#lifeMs(credentials),
      kicked: { atMs: kickedAtMs, code: CloseCode.KICKED, lifeMs: resumeWindowMs },
    };
    const expects = resumes === undefined ? ("new" as const) : ("existing" as const);
    const result = await cluster.broker.sessions.claim({ ...claim, expects }).catch((reason: unknown) => {
      const here = hub.sessions.get(name.id);
      if (here !== undefined) here.mayBeOld = true;
      throw reason;
    });
    switch (result.outcome) {
      case "stale": {
        const message = `the attempt has to be higher than ${result.attempt}`;
        return { kind: "refused", code: CloseCode.STALE_ATTEMPT, message };
      }
      case "ended":
        return { kind: "refused", code: result.code, message: "the session was ended and cannot be resumed" };
      case "unknown":
        return this.#claim({ ...knock, resumes: undefined, handOver: false }, kickedAtMs);
      case "claimed": {
        if (result.previous === undefined) return { kind: "new", name };
        const { owner } = result.previous;
        const here = hub.sessions.get(name.id);
        if (here !== undefined) {
          if (owner === cluster.incarnation && !here.mayBeOld) return { kind: "here", session: here };
          // It went on elsewhere since, and the question for it has never come: the owner knows more, and to all others this generation is old.
          this.#depart(here);
        }
        const isOwn = owner === cluster.incarnation;
        const answer = isOwn ? undefined : await this.#otherOwners.release(owner, name.id, attempt, handOver);
        // That it was ended may be known here alone: the store was out of reach then.
        const endedCode = answer?.endedCode || hub.tombstones.get(name.id);
        if (endedCode !== undefined) {
          await this.#end(name.id, endedCode);
          return { kind: "refused", code: endedCode, message: "the session was ended and cannot be resumed" };
        }
        if (isOwn) return { kind: "moved", name, released: undefined, finish: () => {} };
        const released = answer?.unknown === true ? undefined : answer;
        this.#count(released);
        const finish = (isServed: boolean): void => {
          const isHandedOver = released?.handedOver === true;
          // Who has not answered may do so late, and hand over what goes on here already.
          if (!isHandedOver && answer !== undefined) return;
          const otherwise = isServed ? CloseCode.REPLACED : CloseCode.GOING_AWAY;
          this.#otherOwners.finish(owner, name.id, isServed && isHandedOver ? 0 : otherwise);
        };
        return { kind: "moved", name, released, finish };
      }
    }
  }

  #count(released: ReleasedSession | undefined): void {
    const { counters } = this.#options.cluster;
    if (released === undefined) counters.sessionsLostIn++;
    else if (released.handedOver) counters.sessionsHandedOverIn++;
    else counters.sessionsReleasedIn++;
  }

  async #end(sessionId: string, tombstone: number | undefined): Promise<void> {
    const { cluster, resumeWindowMs, log } = this.#options;
    const mark = tombstone === undefined ? undefined : { code: tombstone, lifeMs: resumeWindowMs };
    try {
      await cluster.broker.sessions.end(this.#appId, sessionId, cluster.incarnation, mark);
    } catch (reason) {
      log.warn("a session's end could not be written; its entry ends by itself", { reason: String(reason) });
    }
  }

  #record({ origin }: SessionName, { playerId }: Credentials): Uint8Array {
    const startedAtMs = BigInt(Math.trunc(this.#options.clock.nowMs()));
    return toBinary(SessionRecordSchema, create(SessionRecordSchema, { origin, playerId, startedAtMs }));
  }

  #lifeMs({ expiresAtMs }: Credentials): number {
    const { clock, resumeWindowMs } = this.#options;
    const untilTokenMs = Math.max(0, expiresAtMs - clock.nowMs());
    return Math.trunc(Math.min(untilTokenMs + resumeWindowMs + slackMs, maxSessionLifeMs));
  }
}
