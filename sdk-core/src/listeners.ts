/** Is told of what a user's callback threw. */
export type ReportThrown = (thrown: unknown) => void;

/** Callbacks of one kind of event. What one throws or rejects with is reported and disturbs nobody else. */
export class Listeners<T> {
  readonly #callbacks = new Set<(event: T) => unknown>();

  /** Adds a callback; the returned function removes it. */
  add(callback: (event: T) => unknown): () => void {
    const own = (event: T) => callback(event); // so that the same function can be added twice
    this.#callbacks.add(own);
    return () => this.#callbacks.delete(own);
  }

  /** Tells those that were there before, and are still when it is their turn. */
  emit(event: T, report: ReportThrown): void {
    for (const callback of [...this.#callbacks]) {
      if (this.#callbacks.has(callback)) callGuarded(() => callback(event), report);
    }
  }
}

/** Calls a user's function; what it throws, or rejects with, is reported. */
export function callGuarded(callback: () => unknown, report: ReportThrown): void {
  try {
    const result = callback();
    if (result instanceof Promise) result.catch(report);
  } catch (thrown) {
    report(thrown);
  }
}
