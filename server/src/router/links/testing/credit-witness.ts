import { decodeBatch } from "../batch-decoding.ts";
import { initialCreditBytes } from "../link-options.ts";

interface Way {
  lastNumber: number;
  sentBytes: number;
  workedOffBytes: number;
}

/** Sees what is published to one node, and what it has worked off: whether its peers keep to what it can take. */
export class CreditWitness {
  /** The most that was on its way to the node, beyond a record of which more was sent than there was credit. */
  mostBytes = 0;
  readonly #ways = new Map<bigint, Way>();
  readonly #largestRecordBytes: number;

  constructor(largestRecordBytes: number) {
    this.#largestRecordBytes = largestRecordBytes;
  }

  published(bytes: Uint8Array): void {
    const batch = decodeBatch(bytes);
    if (batch === undefined || batch.number === 0) return;
    const way = this.#way(batch.from);
    if (batch.number <= way.lastNumber) return;
    way.lastNumber = batch.number;
    way.sentBytes += batch.recordBytes;
    this.mostBytes = Math.max(this.mostBytes, this.#openBytes());
  }

  workedOff(from: bigint, bytes: number): void {
    this.#way(from).workedOffBytes += bytes;
  }

  #openBytes(): number {
    let sum = 0;
    for (const { sentBytes, workedOffBytes } of this.#ways.values()) {
      const openBytes = sentBytes - workedOffBytes;
      sum +=
        openBytes > initialCreditBytes ? Math.max(initialCreditBytes, openBytes - this.#largestRecordBytes) : openBytes;
    }
    return sum;
  }

  #way(from: bigint): Way {
    const way = this.#ways.get(from) ?? { lastNumber: 0, sentBytes: 0, workedOffBytes: 0 };
    this.#ways.set(from, way);
    return way;
  }
}
