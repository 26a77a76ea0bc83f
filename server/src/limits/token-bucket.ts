/** A token bucket: `ratePerSecond` on the average, `burst` at once after a rest. Holds two numbers; needs no timer. */
export class TokenBucket {
  readonly ratePerSecond: number;
  readonly #ratePerMs: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number;

  /** @param nowMs the monotonic clock */
  constructor(ratePerSecond: number, burst: number, nowMs: number) {
    this.ratePerSecond = ratePerSecond;
    this.#ratePerMs = ratePerSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#atMs = nowMs;
  }

  /** Takes tokens if there are enough. */
  take(nowMs: number, count = 1): boolean {
    this.#refill(nowMs);
    if (this.#tokens < count) return false;
    this.#tokens -= count;
    return true;
  }

  /** Takes tokens in any case, into debt; returns what is left, negative in debt. Debt is bounded by one burst more. */
  charge(nowMs: number, count = 1): number {
    this.#refill(nowMs);
    this.#tokens = Math.max(this.#tokens - count, -2 * this.#burst);
    return this.#tokens;
  }

  /** Tokens that are there; negative in debt. */
  level(nowMs: number): number {
    this.#refill(nowMs);
    return this.#tokens;
  }

  /** Milliseconds until `count` tokens are there, at least 1 if they are not. */
  waitMs(nowMs: number, count = 1): number {
    this.#refill(nowMs);
    return this.#tokens >= count ? 0 : Math.max(1, Math.ceil((count - this.#tokens) / this.#ratePerMs));
  }

  #refill(nowMs: number): void {
    if (nowMs <= this.#atMs) return;
    this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#atMs) * this.#ratePerMs);
    this.#atMs = nowMs;
  }
}
