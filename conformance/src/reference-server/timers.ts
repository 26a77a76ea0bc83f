/** Timers by name. */
export class Timers<Name extends string> {
  readonly #timers = new Map<Name, NodeJS.Timeout>();

  /** Puts a timer in the place of the one of that name. */
  set(name: Name, ms: number, action: () => void): void {
    this.clear(name);
    this.#timers.set(name, setTimeout(action, Math.min(ms, 2 ** 31 - 1)));
  }

  clear(name: Name): void {
    clearTimeout(this.#timers.get(name));
  }

  clearAll(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }
}
