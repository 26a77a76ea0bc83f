/** How long clients are without a connection, those included that are not back. Times by the monotonic clock, in milliseconds. */
export class Outages {
  readonly #downSinceMs = new Map<string, number>();
  #longestOverMs = 0;

  /** It has no connection, from now on if it had one. */
  down(client: string, atMs: number): void {
    if (!this.#downSinceMs.has(client)) this.#downSinceMs.set(client, atMs);
  }

  up(client: string, atMs: number): void {
    const sinceMs = this.#downSinceMs.get(client);
    if (sinceMs === undefined) return;
    this.#downSinceMs.delete(client);
    this.#longestOverMs = Math.max(this.#longestOverMs, atMs - sinceMs);
  }

  /** What is over counts no more. */
  forgetOver(): void {
    this.#longestOverMs = 0;
  }

  /** Of those that are over, and those that are not. */
  longestMs(nowMs: number): number {
    return Math.max(this.#longestOverMs, ...[...this.#downSinceMs.values()].map((sinceMs) => nowMs - sinceMs));
  }
}
