import type { Clock } from "../clock.ts";
import { Batch } from "./batch.ts";

/** What has something to write. */
export interface Flushable {
  /** Writes what it was given. `nowMs` is the monotonic clock. */
  flush(nowMs: number): void;
}

/** How long flushing may hold the event loop, in milliseconds. */
const sliceMs = 5;
/** After how many writes the clock is read. */
const clockStride = 64;
/**
 * How many times the time of a flush is waited before the next one: flushing may take an eleventh of the time. Measured with 100
 * members and 2,000 messages a second (`npm run bench -- firehose`): 4 joins 2.6 messages a write and costs 0.6 of the floor, 10
 * joins 8 and costs 0.4.
 */
const lingerFactor = 10;
/** Timers count whole milliseconds. Less than one is not waited at all, so that small flushes are not delayed beyond their share. */
const leastWaitMs = 1;

/**
 * Decides when connections write. What arrives within one turn of the event loop leaves in one write at its end. Under load the next
 * flush waits for a few times as long as flushing took, up to `maxLingerMs`: the more a flush costs, the more messages share it, and
 * an idle server does not wait at all.
 */
export class FlushScheduler {
  readonly #clock: Clock;
  readonly #maxLingerMs: number;
  #root = new Batch();
  #dirty: Flushable[] = [];
  #scheduled = false;
  #nextFlushMs = 0;
  #smoothedMs = 0;

  constructor(clock: Clock, maxLingerMs: number) {
    this.#clock = clock;
    this.#maxLingerMs = maxLingerMs;
  }

  /** The empty batch that pending writes of this flush begin with. */
  get emptyBatch(): Batch {
    return this.#root;
  }

  /** Has it flushed soon. A caller adds itself once, and again only after its `flush` was called. */
  add(flushable: Flushable): void {
    this.#dirty.push(flushable);
    if (this.#scheduled) return;
    this.#scheduled = true;
    const waitMs = this.#nextFlushMs - this.#clock.monotonicMs();
    if (waitMs >= leastWaitMs) this.#clock.setTimer(waitMs, () => this.#begin());
    else this.#clock.defer(() => this.#begin());
  }

  #begin(): void {
    const dirty = this.#dirty;
    this.#dirty = [];
    this.#root = new Batch();
    this.#run(dirty, 0, 0);
  }

  #run(dirty: Flushable[], from: number, spentMs: number): void {
    const startMs = this.#clock.monotonicMs();
    let nowMs = startMs;
    for (let i = from; i < dirty.length; i++) {
      if ((i & (clockStride - 1)) === clockStride - 1) {
        nowMs = this.#clock.monotonicMs();
        if (nowMs - startMs >= sliceMs) {
          this.#clock.defer(() => this.#run(dirty, i, spentMs + nowMs - startMs));
          return;
        }
      }
      dirty[i]?.flush(nowMs);
    }
    const endMs = this.#clock.monotonicMs();
    this.#end(endMs, spentMs + endMs - startMs);
  }

  #end(nowMs: number, spentMs: number): void {
    this.#smoothedMs += (spentMs - this.#smoothedMs) / 4;
    this.#nextFlushMs = nowMs + Math.min(this.#maxLingerMs, lingerFactor * this.#smoothedMs);
    this.#scheduled = false;
    const next = this.#dirty.pop();
    if (next !== undefined) this.add(next);
  }
}
