import { ErrorCode } from "@fanfare/proto/v1";
import type { AppChannel, RouteStore } from "../../broker/route-store.ts";
import type { Clock, Timer } from "../../clock.ts";
import { FanfareError } from "../../fanfare-error.ts";
import { ClusterCounters } from "../../observe/cluster-counters.ts";
import type { Log } from "../../observe/log.ts";

/** What the routes of a node are made of. */
export interface LocalRoutesOptions {
  readonly store: RouteStore;
  readonly incarnation: bigint;
  readonly clock: Clock;
  readonly log: Log;
  /** A route was not there any more when it was asserted again: what was sent to the channel meanwhile may have missed this node. */
  readonly onLost: (channel: AppChannel) => void;
  /** How long a route stays after its last subscriber has left, in milliseconds; so that one who comes back soon costs nothing. Default: 1000. */
  readonly lingerMs?: number;
  /** Default: its own. */
  readonly counters?: ClusterCounters;
}

/**
 * One channel that has, or had a moment ago, subscribers on this node.
 *
 * | state | event | next |
 * |---|---|---|
 * | adding | the store has it | standing |
 * | adding | the store fails | failed; who waits is told, and it is tried again as long as somebody holds it |
 * | standing | asserted again | adding, and who holds it does not wait |
 * | any | nobody holds it for `lingerMs` | gone, and removed from the store |
 */
interface Route {
  readonly channel: AppChannel;
  holders: number;
  state: "adding" | "standing" | "failed";
  /** It was in the store at some time. */
  stood: boolean;
  adding: Promise<void>;
  idleSinceMs: number;
}

/** That this node is no more on the route of a channel. */
interface Removal {
  readonly channel: AppChannel;
  readonly atMs: number;
  isDone: boolean;
  /** Under way. */
  tries: number;
}

/** Adds under way at the same time when routes are asserted again. */
const reassertAtOnce = 256;
/** Reassertions side by side: one that comes while so many are under way waits for one of them. */
const maxReassertions = 8;
/** How long a removal is remembered, in milliseconds, and how many are; past it the oldest is forgotten. */
const removedLifeMs = 60_000;
const maxRemoved = 10_000;
/** After how long a failed route is tried again, in milliseconds. */
const retryMs = 1_000;

/**
 * Keeps this node on the routes of the channels that it has subscribers of. One entry a channel, bounded by subscriptions.
 *
 * Changes of one route carry rising sequences, so that a late one undoes nothing; one that failed is tried again. A failover can bring a route back that
 * was removed: removals of the last minute are carried out again when a slot's primary changed, until the node has closed, and when it leaves, because
 * nobody does it after that. What is left all the same is removed when a message comes for a channel that nobody here has.
 */
export class LocalRoutes {
  readonly #options: LocalRoutesOptions;
  readonly #counters: ClusterCounters;
  readonly #routes = new Map<string, Route>();
  readonly #idle = new Set<Route>();
  readonly #healing = new Set<string>();
  /** Channels that this node was taken off, or could not be; the oldest first. */
  readonly #removed = new Map<string, Removal>();
  #sequence = 0;
  /** Under way. */
  readonly #removals = new Set<Promise<void>>();
  /** A route that could not be removed was forgotten, because there were too many. */
  #isLeftBehind = false;
  #sweepTimer: Timer | undefined;
  #retryTimer: Timer | undefined;
  readonly #reasserting = new Set<Promise<void>>();
  /** Undefined as long as this node may be put on routes. */
  #leaving: Promise<void> | undefined;
  readonly #unlisten: () => void;

  constructor(options: LocalRoutesOptions) {
    this.#options = options;
    this.#counters = options.counters ?? new ClusterCounters();
    this.#unlisten = options.store.onUnsettled((isAffected) => {
      if (!this.#isLeaving) void this.reassert(isAffected);
      else for (const channel of this.#removedLately(isAffected)) void this.#remove(channel);
    });
  }

  /** Channels on whose route this node is. */
  get size(): number {
    return this.#routes.size;
  }

  /**
   * Somebody here is going to receive the channel.
   * @returns undefined if the route stands; else settles when it does
   * @throws FanfareError UNAVAILABLE (as a rejection); the hold stays, and has to be released
   */
  hold(channel: AppChannel): Promise<void> | undefined {
    if (this.#isLeaving) return closedRoutes();
    const id = idOf(channel);
    let route = this.#routes.get(id);
    if (route === undefined) {
      this.#removed.delete(id);
      route = { channel, holders: 0, state: "adding", stood: false, adding: Promise.resolve(), idleSinceMs: 0 };
      this.#routes.set(id, route);
      this.#add(route);
    } else if (route.state === "failed") this.#add(route);
    route.holders++;
    this.#idle.delete(route);
    return route.state === "standing" ? undefined : route.adding;
  }

  /** As many times as `hold`. */
  release(channel: AppChannel): void {
    const route = this.#routes.get(idOf(channel));
    if (route === undefined || --route.holders > 0) return;
    route.idleSinceMs = this.#options.clock.monotonicMs();
    this.#idle.add(route);
    this.#scheduleSweep();
  }

  /** A message came for a channel that nobody here receives: the route is a leftover. */
  heal(channel: AppChannel): void {
    const id = idOf(channel);
    if (this.#isLeaving || this.#routes.has(id)) return;
    if (this.#healing.has(id) || this.#healing.size >= reassertAtOnce) return;
    this.#healing.add(id);
    this.#counters.routesHealed++;
    void this.#remove(channel).finally(() => this.#healing.delete(id));
  }

  /** Writes routes again that may have been lost, some at a time. Those of one shard do not wait for another that does not answer. */
  async reassert(isAffected: (channel: AppChannel) => boolean): Promise<void> {
    while (this.#reasserting.size >= maxReassertions) await Promise.race(this.#reasserting);
    const reasserting = this.#reassert(isAffected).finally(() => this.#reasserting.delete(reasserting));
    this.#reasserting.add(reasserting);
    await reasserting;
  }

  /** Takes this node off all routes; and again, until it closes, off those that a failover may have brought back. */
  leave(): Promise<void> {
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  /** Ends, when it has left. @returns whether this node is off all routes */
  async close(): Promise<boolean> {
    await this.leave();
    while (this.#removals.size > 0) await Promise.all(this.#removals);
    this.#unlisten();
    return [...this.#removed.values()].every(({ isDone }) => isDone) && !this.#isLeftBehind;
  }

  async #reassert(isAffected: (channel: AppChannel) => boolean): Promise<void> {
    const affected = [...this.#routes.values()].filter(({ channel }) => isAffected(channel));
    let lost = 0;
    for (let i = 0; i < affected.length && !this.#isLeaving; i += reassertAtOnce) {
      const some = affected.slice(i, i + reassertAtOnce).filter((route) => this.#isCurrent(route));
      const found = await Promise.all(some.map((route) => this.#assert(route).catch(() => true))); // it is tried again
      lost += found.filter((stood) => !stood).length;
    }
    const removed = this.#removedLately(isAffected);
    for (let i = 0; i < removed.length && !this.#isLeaving; i += reassertAtOnce) {
      const some = removed.slice(i, i + reassertAtOnce).filter((channel) => !this.#routes.has(idOf(channel)));
      await Promise.all(some.map((channel) => this.#remove(channel)));
    }
    this.#counters.routesReasserted += affected.length;
    this.#counters.routesLost += lost;
    if (affected.length > 0) this.#options.log.info("routes asserted again", { routes: affected.length, lost });
  }

  get #isLeaving(): boolean {
    return this.#leaving !== undefined;
  }

  async #leave(): Promise<void> {
    this.#sweepTimer?.cancel();
    this.#retryTimer?.cancel();
    await Promise.all(this.#reasserting);
    const held = [...this.#routes.values()].map(({ channel }) => channel);
    const all = [...held, ...this.#removedLately(() => true)];
    this.#routes.clear();
    this.#idle.clear();
    await Promise.all([...all.map((channel) => this.#remove(channel)), ...this.#removals]);
  }

  #isCurrent(route: Route): boolean {
    return this.#routes.get(idOf(route.channel)) === route;
  }

  #add(route: Route): void {
    route.state = "adding";
    route.adding = this.#assert(route).then(() => {});
    route.adding.catch(() => {}); // whoever waits is told, and nobody may
  }

  /** @returns false if the route had stood and was lost */
  async #assert(route: Route): Promise<boolean> {
    const { store, incarnation } = this.#options;
    try {
      const wasThere = await store.add(route.channel, incarnation, ++this.#sequence);
      const isLost = route.stood && !wasThere && this.#isCurrent(route);
      route.state = "standing";
      route.stood = true;
      if (isLost) this.#options.onLost(route.channel);
      return !isLost;
    } catch (reason) {
      route.state = "failed";
      this.#scheduleRetry();
      throw reason;
    }
  }

  #scheduleRetry(): void {
    if (this.#isLeaving) return;
    this.#retryTimer ??= this.#options.clock.setTimer(retryMs, () => {
      this.#retryTimer = undefined;
      for (const route of this.#routes.values()) if (route.state === "failed" && route.holders > 0) this.#add(route);
      const failed = [...this.#removed.values()].filter(({ isDone, tries }) => !isDone && tries === 0);
      for (const { channel } of failed.slice(0, reassertAtOnce)) void this.#remove(channel);
      if (failed.length > reassertAtOnce) this.#scheduleRetry();
    });
  }

  #scheduleSweep(): void {
    if (this.#isLeaving || this.#sweepTimer !== undefined) return;
    const { clock, lingerMs = 1_000 } = this.#options;
    this.#sweepTimer = clock.setTimer(lingerMs, () => {
      this.#sweepTimer = undefined;
      const untilMs = clock.monotonicMs() - lingerMs;
      for (const route of this.#idle) {
        if (route.idleSinceMs > untilMs) break; // in the order of their last release
        this.#idle.delete(route);
        this.#routes.delete(idOf(route.channel));
        // Behind an addition that is under way, so that not even a store that mixes up the two is left with it.
        void this.#removeBehind(route);
      }
      if (this.#idle.size > 0) this.#scheduleSweep();
    });
  }

  async #removeBehind({ adding, channel }: Route): Promise<void> {
    this.#remember(channel); // noted at once: the node may leave before the addition ends
    await adding.catch(() => {});
    if (!this.#routes.has(idOf(channel))) await this.#remove(channel);
  }

  #remember(channel: AppChannel): Removal {
    const atMs = this.#options.clock.monotonicMs();
    const id = idOf(channel);
    const known = this.#removed.get(id);
    // Carried out again it is not younger: what brings it back happened before.
    if (known !== undefined) return known;
    const removal = { channel, atMs, isDone: false, tries: 0 };
    this.#removed.set(id, removal);
    for (const [oldestId, oldest] of this.#removed) {
      const isPast = oldest.isDone && atMs - oldest.atMs > removedLifeMs;
      if (this.#removed.size <= maxRemoved && !isPast) break;
      this.#removed.delete(oldestId);
      this.#isLeftBehind ||= !oldest.isDone;
    }
    return removal;
  }

  #removedLately(isAffected: (channel: AppChannel) => boolean): AppChannel[] {
    const sinceMs = this.#options.clock.monotonicMs() - removedLifeMs;
    return [...this.#removed.values()].flatMap(({ channel, atMs, isDone }) =>
      (!isDone || atMs >= sinceMs) && isAffected(channel) ? [channel] : [],
    );
  }

  #remove(channel: AppChannel): Promise<void> {
    const { store, incarnation, log } = this.#options;
    const removal = this.#remember(channel);
    removal.isDone = false;
    removal.tries++;
    const sequence = ++this.#sequence;
    const done = store.remove(channel, incarnation, sequence).then(
      () => {
        removal.isDone = true;
      },
      (reason: unknown) => {
        log.debug("a route could not be removed", { channel: idOf(channel), reason: String(reason) });
        this.#scheduleRetry();
      },
    );
    this.#removals.add(done);
    return done.finally(() => {
      removal.tries--;
      this.#removals.delete(done);
    });
  }
}

/** A node that is no more is put on no route: nobody would take it off. */
function closedRoutes(): Promise<never> {
  const refusal = Promise.reject(new FanfareError(ErrorCode.UNAVAILABLE, "this node is going away"));
  refusal.catch(() => {}); // whoever waits is told, and nobody may
  return refusal;
}

/** App ids have no slash. */
function idOf({ appId, key }: AppChannel): string {
  return `${appId}/${key}`;
}
