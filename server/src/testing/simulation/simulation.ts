import type { Timer } from "../../clock.ts";
import { Random } from "../random.ts";
import { EventQueue } from "./event-queue.ts";

/** Events after which a run is taken for one that never comes to rest. */
const defaultMaxEvents = 5_000_000;

/**
 * One run under virtual time. Whatever happens is an event at a moment; after each event everything that it has promised happens (all
 * microtasks run) before the next one begins, so a run depends on its seed alone. Time stands still within an event.
 */
export class Simulation {
  readonly seed: number;
  /** Since the run began, in milliseconds. */
  nowMs = 0;
  /** Events that have happened. */
  events = 0;
  readonly #maxEvents: number;
  readonly #queue = new EventQueue();

  constructor(seed: number, maxEvents = defaultMaxEvents) {
    this.seed = seed;
    this.#maxEvents = maxEvents;
  }

  /** Chance of its own for whatever has this name. */
  random(name: string): Random {
    return Random.named(this.seed, name);
  }

  /** Has something happen, behind what is due at that moment already. */
  at(atMs: number, callback: () => void): Timer {
    return this.#queue.add(Math.max(atMs, this.nowMs), callback);
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.at(this.nowMs + Math.max(0, delayMs), callback);
  }

  /** Lets so much time pass. A promise of the run's own: what is awaited meanwhile is awaited in virtual time. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /**
   * Lets everything happen up to a moment, or until `isOver` says so after an event.
   * @throws what an event throws; RangeError when there are too many events
   */
  runUntil(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const step = (): void => {
      const next = isOver() ? undefined : this.#queue.take(untilMs);
      if (next === undefined) {
        if (!isOver()) this.nowMs = Math.max(this.nowMs, untilMs);
        return resolve();
      }
      this.nowMs = next.atMs;
      try {
        if (++this.events > this.#maxEvents) throw new RangeError(`${this.events} events, and no end`);
        next.callback();
      } catch (reason) {
        return reject(reason);
      }
      queueMicrotask(turn);
    };
    // Ticks come when no microtask is left, without the cost of a turn of the event loop.
    const turn = (): void => process.nextTick(step);
    turn();
    return promise;
  }
}
