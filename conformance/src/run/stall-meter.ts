/** How often it is looked, and for how long what was seen is kept. */
const periodMs = 20;
const keptMs = 120_000;

/**
 * Notices when this process stands still: what it then measures of others says nothing about them. A case that failed while it did is run
 * again.
 */
export class StallMeter implements Disposable {
  #stalls: { readonly atMs: number; readonly ms: number }[] = [];
  #lastMs = performance.now();
  readonly #timer: NodeJS.Timeout;

  constructor() {
    this.#timer = setInterval(() => this.#look(), periodMs);
    this.#timer.unref();
  }

  /** The longest stall since a time, in milliseconds. */
  longestSince(sinceMs: number): number {
    this.#look();
    return this.#stalls.reduce((longest, { atMs, ms }) => (atMs >= sinceMs ? Math.max(longest, ms) : longest), 0);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const nowMs = performance.now();
    const ms = nowMs - this.#lastMs - periodMs;
    this.#lastMs = nowMs;
    if (ms < periodMs) return;
    this.#stalls.push({ atMs: nowMs, ms });
    this.#stalls = this.#stalls.filter(({ atMs }) => atMs > nowMs - keptMs);
  }
}
