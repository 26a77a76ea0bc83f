import type { AppChannel, RouteStore } from "../../broker/route-store.ts";
import type { Clock } from "../../clock.ts";
import { TokenBucket } from "../../limits/token-bucket.ts";
import { ClusterCounters } from "../../observe/cluster-counters.ts";
import { type Log, silentLog } from "../../observe/log.ts";

/**
 * Where a message goes: to these incarnations; to everybody, because the route cannot be read; or nowhere, because it cannot be read and too
 * many messages went to everybody already.
 */
export type Targets = readonly bigint[] | "everybody" | "unreachable";

/** What a {@link RouteResolver} is made of. */
export interface RouteResolverOptions {
  readonly store: RouteStore;
  readonly clock: Clock;
  /** Reads that may be answered with `everybody` a second, because a shard is out of reach. Default: 2000. */
  readonly everybodyPerSecond?: number;
  /** Default: its own. */
  readonly counters?: ClusterCounters;
  /** Default: writes nothing. */
  readonly log?: Log;
}

/** The log has at most one line in so much time of routes that cannot be read, in milliseconds. */
const tellEveryMs = 5_000;

type Dispatch = (targets: Targets) => void;

/** A channel whose route is wanted. At most one read of it is under way; who comes meanwhile waits for the next. */
interface Lookup {
  readonly channel: AppChannel;
  waiting: Dispatch[];
}

/**
 * Finds out where messages go, and keeps their order: what is published to a channel is dispatched in the order in which it was asked for.
 *
 * A publish is answered by a read that began after it, so it sees every subscription that was opened before. Publishes to one channel within
 * one turn, and while a read is under way, share the next. Bounded by the requests that sessions may have pending.
 */
export class RouteResolver {
  readonly #store: RouteStore;
  readonly #clock: Clock;
  readonly #everybody: TokenBucket;
  readonly #counters: ClusterCounters;
  readonly #log: Log;
  #toldAtMs = Number.NEGATIVE_INFINITY;
  readonly #lookups = new Map<string, Lookup>();
  readonly #reads = new Set<Promise<void>>();

  constructor(options: RouteResolverOptions) {
    const { store, clock, everybodyPerSecond = 2_000, counters = new ClusterCounters(), log = silentLog } = options;
    this.#store = store;
    this.#clock = clock;
    this.#counters = counters;
    this.#log = log;
    this.#everybody = new TokenBucket(everybodyPerSecond, everybodyPerSecond, clock.monotonicMs());
  }

  /** Calls back once, later. */
  resolve(channel: AppChannel, dispatch: Dispatch): void {
    const id = `${channel.appId}/${channel.key}`;
    const lookup = this.#lookups.get(id);
    if (lookup !== undefined) {
      lookup.waiting.push(dispatch);
      return;
    }
    const fresh = { channel, waiting: [dispatch] };
    this.#lookups.set(id, fresh);
    this.#clock.defer(() => this.#read(id, fresh));
  }

  /** Whether something of a channel waits for its route. */
  isAsked({ appId, key }: AppChannel): boolean {
    return this.#lookups.has(`${appId}/${key}`);
  }

  /** Settles when what was asked for until now, for one channel, is on its way; undefined: it is. */
  dispatched(channel: AppChannel): Promise<void> | undefined {
    const lookup = this.#lookups.get(`${channel.appId}/${channel.key}`);
    return lookup && new Promise((resolve) => lookup.waiting.push(() => resolve()));
  }

  /** Settles when all that is dispatched by a read that has begun is on its way: from then on routes are at least as new as this call. */
  async barrier(): Promise<void> {
    await Promise.all(this.#reads);
  }

  #read(id: string, lookup: Lookup): void {
    const dispatches = lookup.waiting;
    lookup.waiting = [];
    const read = this.#store
      .read(lookup.channel)
      .catch((reason: unknown): Targets => this.#fallback(reason))
      .then((targets) => {
        this.#reads.delete(read);
        for (const dispatch of dispatches) dispatch(targets);
        if (lookup.waiting.length > 0) this.#read(id, lookup);
        else this.#lookups.delete(id);
      });
    this.#reads.add(read);
  }

  #fallback(reason: unknown): Targets {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#toldAtMs >= tellEveryMs) {
      this.#toldAtMs = nowMs;
      this.#log.warn("routes cannot be read; messages go to every node", { reason: String(reason) });
    }
    if (this.#everybody.waitMs(nowMs) > 0) {
      this.#counters.routesUnreachable++;
      return "unreachable";
    }
    this.#everybody.take(nowMs);
    this.#counters.routesToEverybody++;
    return "everybody";
  }
}
