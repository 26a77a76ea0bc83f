import type { Clock } from "./ports.ts";

/**
 * The server's token bucket for publishes, as this side sees it, so that a queue that has waited for a connection does not run into
 * refusals. It is filled a little more slowly than the server's, because the two clocks and the network are not exact.
 */
export class PublishRate {
  readonly #clock: Clock;
  #perMs = 0;
  #burst = 0;
  #tokens = 0;
  #countedAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What the server admits; 0: it did not say, and everything goes. */
  set(publishesPerSecond: number, burst: number): void {
    const perMs = (publishesPerSecond * 0.95) / 1000;
    if (perMs === this.#perMs && burst === this.#burst) return;
    this.#perMs = perMs;
    this.#burst = Math.max(1, burst);
    this.#tokens = this.#burst;
    this.#countedAt = this.#clock.monotonic();
  }

  /** Milliseconds until the next publish is admitted; 0: now. */
  get delayMs(): number {
    if (this.#perMs === 0) return 0;
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#countedAt) * this.#perMs);
    this.#countedAt = now;
    return this.#tokens >= 1 ? 0 : Math.ceil((1 - this.#tokens) / this.#perMs);
  }

  /** One is sent, admitted or not. */
  count(): void {
    this.#tokens = Math.max(0, this.#tokens - 1);
  }
}
