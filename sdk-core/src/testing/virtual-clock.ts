import type { Clock, TimerHandle } from "../ports.ts";

interface Timer {
  at: number;
  callback: () => void;
}

/** Time that passes when a test says so. */
export class VirtualClock implements Clock {
  #now = 1_800_000_000_000;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    const timer = { at: this.#now + delayMs, callback };
    this.#timers.add(timer);
    return timer;
  }

  clearTimer(timer: TimerHandle): void {
    this.#timers.delete(timer as Timer);
  }

  /** Timers that are set. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Lets time pass; every timer fires at its moment, and what it has promised happens before the next one. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await settled();
    for (let timer = this.#next(until); timer !== undefined; timer = this.#next(until)) {
      this.#now = Math.max(this.#now, timer.at);
      this.#timers.delete(timer);
      timer.callback();
      await settled();
    }
    this.#now = until;
  }

  /** Sleeps: time has passed at once, and every overdue timer fires late. */
  async sleep(ms: number): Promise<void> {
    this.#now += ms;
    const overdue = [...this.#timers].filter((timer) => timer.at <= this.#now).sort((a, b) => a.at - b.at);
    for (const timer of overdue) {
      if (this.#timers.delete(timer)) timer.callback();
    }
    await settled();
  }

  #next(until: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= until && (first === undefined || timer.at < first.at)) first = timer;
    }
    return first;
  }
}

/** Everything that is promised has happened. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 50; i++) await undefined;
}
