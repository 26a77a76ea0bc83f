import type { Settle } from "./settlements.ts";

/** A batch that was sent and is not acknowledged. */
export interface SentBatch {
  readonly number: number;
  /** Without its tail, as it goes over its link. Undefined: it has only gone to several at once. */
  body: Uint8Array | undefined;
  /** What is kept to be sent again, in bytes. */
  readonly bytes: number;
  readonly records: number;
  readonly hasLoss: boolean;
  /** Encodes `body`. Of one that has gone to several at once. */
  readonly encodeBody?: () => Uint8Array;
  /** Whom to tell; nobody, once they were told that the outcome is not known. */
  readonly settles: readonly Settle[];
  /** By the monotonic clock. */
  readonly firstSentMs: number;
  lastSentMs: number;
  sends: number;
}

/** Nobody has sent it over its link yet: it has only gone to several at once. */
export function isOnlyShared({ encodeBody, sends }: SentBatch): boolean {
  return encodeBody !== undefined && sends === 1;
}

/** A batch that has arrived. */
export interface AcknowledgedBatch {
  readonly batch: SentBatch;
  /** Its records were settled before. */
  readonly wasSettled: boolean;
}

/** The batches of a link, from the oldest that is not acknowledged to the newest. */
export class SendWindow {
  #batches: SentBatch[] = [];
  /** How many of them, from the oldest on, have been settled already. */
  #settled = 0;
  #lastNumber = 0;
  #bytes = 0;

  get size(): number {
    return this.#batches.length;
  }

  /** Bytes that are kept to be sent again. */
  get bytes(): number {
    return this.#bytes;
  }

  get nextNumber(): number {
    return this.#lastNumber + 1;
  }

  get oldest(): SentBatch | undefined {
    return this.#batches[0];
  }

  /** When the oldest was sent whose records have not been settled. */
  get oldestUnsettledMs(): number | undefined {
    return this.#batches[this.#settled]?.firstSentMs;
  }

  get hasLoss(): boolean {
    return this.#batches.some((batch) => batch.hasLoss);
  }

  /** All of them, the oldest first. */
  all(): readonly SentBatch[] {
    return [...this.#batches];
  }

  at(number: number): SentBatch | undefined {
    const first = this.#batches[0];
    return first === undefined ? undefined : this.#batches[number - first.number];
  }

  add(batch: SentBatch): void {
    this.#lastNumber = batch.number;
    this.#batches.push(batch);
    this.#bytes += batch.bytes;
  }

  /** Takes out every batch up to this number; a number that was never sent says nothing. */
  acknowledge(number: number): AcknowledgedBatch[] {
    const first = this.#batches[0];
    if (first === undefined || number < first.number || number > this.#lastNumber) return [];
    const done = this.#batches.splice(0, number - first.number + 1);
    for (const batch of done) this.#bytes -= batch.bytes;
    const settled = Math.min(this.#settled, done.length);
    this.#settled -= settled;
    return done.map((batch, index) => ({ batch, wasSettled: index < settled }));
  }

  /**
   * Batches that were first sent at least so long ago, and whose records have not been settled. They are from now on, and stay to be sent again.
   */
  settle(nowMs: number, ageMs: number): SentBatch[] {
    const from = this.#settled;
    for (let batch = this.#batches[from]; batch !== undefined; batch = this.#batches[this.#settled]) {
      if (batch.firstSentMs + ageMs > nowMs) break;
      this.#settled++;
    }
    return this.#batches.slice(from, this.#settled);
  }
}
