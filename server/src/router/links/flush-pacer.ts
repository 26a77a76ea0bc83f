import type { Clock } from "../../clock.ts";

/** What has something to send. */
export interface Flushable {
  /** Sends it. `nowMs` is the monotonic clock. */
  flush(nowMs: number): void;
}

/**
 * What a publish costs both nodes and Valkey together, in milliseconds, times ten: publishing may take a tenth of the time. FACTS of GLIDE: 25 us to
 * publish, 15 us to receive.
 */
const shareMs = 0.4;
/** Timers count whole milliseconds. Less than one is not waited at all. */
const leastWaitMs = 1;

/**
 * Decides when links send. What comes within one turn of the event loop goes at its end. Every publish runs up a debt of time, which time pays off; while
 * more than a millisecond is owed, records wait for each other, up to `maxLingerMs`.
 */
export class FlushPacer {
  readonly #clock: Clock;
  readonly #maxLingerMs: number;
  #dirty = new Set<Flushable>();
  #isScheduled = false;
  #paidMs = 0;

  constructor(clock: Clock, maxLingerMs: number) {
    this.#clock = clock;
    this.#maxLingerMs = maxLingerMs;
  }

  /** Has it flushed soon, once. */
  add(flushable: Flushable): void {
    this.#dirty.add(flushable);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const waitMs = Math.min(this.#maxLingerMs, this.#paidMs - this.#clock.monotonicMs());
    if (waitMs >= leastWaitMs) this.#clock.setTimer(waitMs, () => this.#flush());
    else this.#clock.defer(() => this.#flush());
  }

  /** Counts a publish. */
  charge(nowMs: number): void {
    // The debt is bounded, so that a burst does not make everybody linger long after it.
    this.#paidMs = Math.min(Math.max(this.#paidMs, nowMs) + shareMs, nowMs + 2 * this.#maxLingerMs);
  }

  #flush(): void {
    const dirty = this.#dirty;
    this.#dirty = new Set();
    this.#isScheduled = false;
    const nowMs = this.#clock.monotonicMs();
    for (const flushable of dirty) flushable.flush(nowMs);
  }
}
