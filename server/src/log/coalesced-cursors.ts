import type { Clock, Timer } from "../clock.ts";
import { type CursorStore, movesForward } from "./cursor-store.ts";
import type { LogPosition } from "./log-position.ts";
import type { LogChannel } from "./message-log.ts";

/** Bounds of {@link CoalescedCursors}. */
export interface CoalescedCursorsOptions {
  /** Least time between two writes of one cursor, in milliseconds. Default: 1000. */
  readonly intervalMs?: number;
  /** Cursors that are remembered at once. Past it a commit is written at once. Default: 100,000. */
  readonly maxEntries?: number;
}

interface Entry {
  readonly channel: LogChannel;
  readonly playerId: string;
  /** What the next write commits; undefined: nothing new since the last one. */
  wanted: LogPosition | undefined;
  waiting: PromiseWithResolvers<LogPosition> | undefined;
  timer: Timer | undefined;
}

/**
 * Commits of cursors, at most one write an interval for each player and channel: the first at once, the newest of those that follow when the
 * interval has passed. Each commit is answered when it, or one further on, is written.
 */
export class CoalescedCursors implements AsyncDisposable {
  readonly #store: CursorStore;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #maxEntries: number;
  readonly #entries = new Map<string, Entry>();

  constructor(store: CursorStore, clock: Clock, options: CoalescedCursorsOptions = {}) {
    this.#store = store;
    this.#clock = clock;
    this.#intervalMs = options.intervalMs ?? 1000;
    this.#maxEntries = options.maxEntries ?? 100_000;
  }

  /** The cursor as it stands, with what waits here to be written. */
  async get(channel: LogChannel, playerId: string): Promise<LogPosition | undefined> {
    const stored = await this.#store.get(channel, playerId);
    const wanted = this.#entries.get(keyOf(channel, playerId))?.wanted;
    return wanted !== undefined && movesForward(stored, wanted) ? wanted : stored;
  }

  /** As {@link CursorStore.commit}, coalesced. @returns the cursor as it stands after the write */
  commit(channel: LogChannel, playerId: string, position: LogPosition): Promise<LogPosition> {
    const key = keyOf(channel, playerId);
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      if (this.#entries.size < this.#maxEntries) this.#rest(key, { channel, playerId, ...nothing });
      return this.#store.commit(channel, playerId, position);
    }
    if (movesForward(entry.wanted, position)) entry.wanted = position;
    entry.waiting ??= Promise.withResolvers();
    return entry.waiting.promise;
  }

  /** Writes what waits. */
  async flush(): Promise<void> {
    const waiting = [...this.#entries].flatMap(([key, entry]) => {
      const { promise } = entry.waiting ?? {};
      entry.timer?.cancel();
      this.#entries.delete(key);
      this.#write(entry);
      return promise === undefined ? [] : [promise];
    });
    await Promise.allSettled(waiting);
  }

  /** Throws away what waits for a player; its commits are answered with an error by the store or not written at all. */
  async erasePlayer(appId: string, playerId: string): Promise<void> {
    for (const [key, entry] of this.#entries) {
      if (entry.channel.appId !== appId || entry.playerId !== playerId) continue;
      entry.timer?.cancel();
      this.#entries.delete(key);
      if (entry.wanted !== undefined) entry.waiting?.resolve(entry.wanted);
    }
    await this.#store.erasePlayer(appId, playerId);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.flush();
  }

  #rest(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    entry.timer = this.#clock.setTimer(this.#intervalMs, () => {
      if (entry.wanted === undefined) {
        this.#entries.delete(key);
        return;
      }
      this.#write(entry);
      this.#rest(key, entry);
    });
  }

  #write(entry: Entry): void {
    const { channel, playerId, wanted, waiting } = entry;
    Object.assign(entry, nothing);
    if (wanted === undefined || waiting === undefined) return;
    this.#store.commit(channel, playerId, wanted).then(waiting.resolve, waiting.reject);
  }
}

const nothing = { wanted: undefined, waiting: undefined, timer: undefined };

function keyOf({ appId, key }: LogChannel, playerId: string): string {
  return `${appId} ${playerId} ${key}`;
}
