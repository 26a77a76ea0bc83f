import { decodeBatch } from "../batch-decoding.ts";
import { initialCreditBytes } from "../link-options.ts";

interface Way {
  lastNumber: number;
  sentBytes: number;
  workedOffBytes: number;
  /** What went to all and did not count, since this node was last heard to acknowledge something. */
  overdraftBytes: number;
  acknowledged: number;
}

/** Sees what is published to one node, and what it has worked off: whether its peers keep to what it can take. */
export class CreditWitness {
  /** The most that was on its way to the node, beyond a record of which more was sent than there was credit. */
  mostBytes = 0;
  /** The most that went to all, of one sender, while nothing of it counted. */
  mostOverdraftBytes = 0;
  readonly #self: bigint;
  readonly #ways = new Map<bigint, Way>();
  readonly #largestRecordBytes: number;

  constructor(self: bigint, largestRecordBytes: number) {
    this.#self = self;
    this.#largestRecordBytes = largestRecordBytes;
  }

  published(bytes: Uint8Array): void {
    const batch = decodeBatch(bytes, this.#self);
    if (batch === undefined || batch.number === 0) return;
    const way = this.#way(batch.from);
    if (batch.to !== this.#self) {
      way.overdraftBytes += batch.recordBytes;
      this.mostOverdraftBytes = Math.max(this.mostOverdraftBytes, way.overdraftBytes);
      return;
    }
    if (batch.number <= way.lastNumber) return;
    way.lastNumber = batch.number;
    // What is not for the node is worked off as soon as it is read.
    if (batch.records.length > 0) way.sentBytes += batch.recordBytes;
    this.mostBytes = Math.max(this.mostBytes, this.#openBytes());
  }

  /** The node has published this. */
  said(to: bigint, bytes: Uint8Array): void {
    const { acknowledged = 0 } = decodeBatch(bytes, to) ?? {};
    const way = this.#way(to);
    if (acknowledged <= way.acknowledged) return;
    way.acknowledged = acknowledged;
    way.overdraftBytes = 0;
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
    const way = this.#ways.get(from) ?? {
      ...{ lastNumber: 0, sentBytes: 0, workedOffBytes: 0 },
      ...{ overdraftBytes: 0, acknowledged: 0 },
    };
    this.#ways.set(from, way);
    return way;
  }
}
