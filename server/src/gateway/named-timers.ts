import type { Clock, Timer } from "../clock.ts";

/** Timers that are known by name: setting one again replaces it. */
export class NamedTimers<Name extends string> {
  readonly #clock: Clock;
  readonly #timers = new Map<Name, Timer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  set(name: Name, delayMs: number, callback: () => void): void {
    this.clear(name);
    this.#timers.set(name, this.#clock.setTimer(delayMs, callback));
  }

  clear(...names: Name[]): void {
    for (const name of names) {
      this.#timers.get(name)?.cancel();
      this.#timers.delete(name);
    }
  }

  clearAll(): void {
    this.clear(...this.#timers.keys());
  }
}
