/**
 * How long an acknowledgement may take before it counts as missing: smoothed round trip and four times its variation (RFC 6298), within bounds, and
 * doubled with each time-out until something is acknowledged.
 */
export class RoundTrip {
  readonly #minMs: number;
  readonly #maxMs: number;
  #smoothedMs = 0;
  #variationMs = 0;
  #backOff = 1;

  constructor(minMs: number, maxMs: number) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
  }

  /** The time-out, in milliseconds. */
  get timeoutMs(): number {
    const plainMs = this.#smoothedMs + 4 * this.#variationMs;
    return Math.min(this.#maxMs, Math.max(this.#minMs, plainMs) * this.#backOff);
  }

  /** Takes a round trip of something that was sent once, in milliseconds. */
  measured(ms: number): void {
    if (this.#smoothedMs === 0) {
      this.#smoothedMs = ms;
      this.#variationMs = ms / 2;
      return;
    }
    this.#variationMs += (Math.abs(ms - this.#smoothedMs) - this.#variationMs) / 4;
    this.#smoothedMs += (ms - this.#smoothedMs) / 8;
  }

  timedOut(): void {
    if (this.timeoutMs < this.#maxMs) this.#backOff *= 2;
  }

  progressed(): void {
    this.#backOff = 1;
  }
}
