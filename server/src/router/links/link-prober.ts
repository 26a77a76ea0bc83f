/** Probes that are remembered: more than are sent while an answer is on its way. */
const maxRemembered = 32;

/** When a link asks whether anybody answers, and over which lane it asked. */
export class LinkProber {
  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  readonly #lanes = new Map<number, number>();
  #dueMs = Number.POSITIVE_INFINITY;
  #intervalMs: number;
  #lastToken = 0;

  constructor(minMs: number, maxMs: number, random: () => number) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
    this.#random = random;
    this.#intervalMs = minMs;
  }

  /** When to ask; Infinity: never. */
  get dueMs(): number {
    return this.#dueMs;
  }

  get isRunning(): boolean {
    return this.#dueMs !== Number.POSITIVE_INFINITY;
  }

  /** Asks first after so many milliseconds. */
  start(nowMs: number, delayMs: number): void {
    this.#intervalMs = this.#minMs;
    this.#dueMs = nowMs + delayMs;
  }

  stop(): void {
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#lanes.clear();
  }

  /** Asks no later than then. */
  hurry(nowMs: number, delayMs: number): void {
    if (this.isRunning) this.#dueMs = Math.min(this.#dueMs, nowMs + delayMs);
  }

  /** It has been asked; the next time is between half and all of an interval away, which grows by half. */
  asked(nowMs: number): void {
    this.#dueMs = nowMs + this.#intervalMs * (0.5 + this.#random() / 2);
    this.#intervalMs = Math.min(this.#maxMs, this.#intervalMs * 1.5);
  }

  /** What to ask over a lane. */
  token(lane: number): number {
    this.#lanes.set(++this.#lastToken, lane);
    this.#lanes.delete(this.#lastToken - maxRemembered);
    return this.#lastToken;
  }

  /** The lane over which this was asked; undefined: that is too long ago, or nobody did. */
  laneOf(token: number): number | undefined {
    return this.#lanes.get(token);
  }
}
