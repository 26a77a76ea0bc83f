/** How many batches in a row that went to all did not reach a peer before it gets its own. */
const lossesBeforeAvoidance = 2;

/** What is known of one peer and the lanes to which all listen. */
export class SharedStanding {
  readonly #minAvoidMs: number;
  readonly #maxAvoidMs: number;
  #losses = 0;
  #avoidUntilMs = Number.NEGATIVE_INFINITY;
  #avoidForMs = 0;
  /** The batch of its link that proves, once it is acknowledged, that the peer reads what was sent before. */
  #proof = 0;
  #overdraftBytes = 0;

  /** How long it is left out after it has not heard, in milliseconds, doubled each time. */
  constructor(minAvoidMs: number, maxAvoidMs: number) {
    this.#minAvoidMs = minAvoidMs;
    this.#maxAvoidMs = maxAvoidMs;
  }

  /** What has gone to all while nothing of it counted against the peer's credit, and may still wait for it, in bytes. */
  get overdraftBytes(): number {
    return this.#overdraftBytes;
  }

  /** It gets its own. */
  isAvoided(nowMs: number): boolean {
    return nowMs < this.#avoidUntilMs;
  }

  /** A batch has not reached it. */
  lost(nowMs: number): void {
    this.#losses++;
    if (this.#losses < lossesBeforeAvoidance) return;
    this.#losses = 0;
    this.#avoidForMs = Math.min(this.#maxAvoidMs, Math.max(this.#minAvoidMs, this.#avoidForMs * 2));
    this.#avoidUntilMs = nowMs + this.#avoidForMs;
  }

  /** A batch has reached it. */
  proved(): void {
    this.#losses = 0;
    this.#avoidForMs = 0;
  }

  /** What it has not heard was not its fault. */
  forgive(): void {
    this.#losses = 0;
  }

  /** So many bytes go to all, and it has no credit for them. */
  overdraw(bytes: number, nextNumber: number): void {
    this.#overdraftBytes += bytes;
    this.#proof = nextNumber;
  }

  /** It has every batch of its link up to this number. */
  acknowledged(number: number): void {
    if (number >= this.#proof) this.#overdraftBytes = 0;
  }
}
