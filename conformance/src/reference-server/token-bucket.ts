/** One token comes back every 1/rate seconds, up to the burst. */
export class TokenBucket {
  readonly #ratePerSecond: number;
  readonly #burst: number;
  #tokens: number;
  #atMs = performance.now();

  constructor(ratePerSecond: number, burst: number) {
    this.#ratePerSecond = ratePerSecond;
    this.#burst = burst;
    this.#tokens = burst;
  }

  /** Takes tokens, and goes into debt if there are not as many. Returns what is left. */
  take(count: number): number {
    this.#refill();
    this.#tokens -= count;
    return this.#tokens;
  }

  /** Takes a token if there is one. Returns after how many milliseconds there is one again; 0 if it was taken. */
  admit(): number {
    this.#refill();
    if (this.#tokens < 1) return Math.ceil(((1 - this.#tokens) / this.#ratePerSecond) * 1000);
    this.#tokens--;
    return 0;
  }

  #refill(): void {
    const nowMs = performance.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#atMs) / 1000) * this.#ratePerSecond);
    this.#atMs = nowMs;
  }
}
