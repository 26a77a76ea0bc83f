import { recordCost } from "./batch.ts";
import type { LinkRecord } from "./link-port.ts";
import type { Settle } from "./settlements.ts";
import type { TakenRecords } from "./waiting-records.ts";

/** Records of this turn of the event loop, on their way into a batch. Costs two array entries a record. */
export class TurnRecords {
  #records: LinkRecord[] = [];
  #settles: (Settle | undefined)[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#records.length === 0;
  }

  /** What they count against credit. */
  get bytes(): number {
    return this.#bytes;
  }

  push(record: LinkRecord, settle: Settle | undefined): void {
    this.#records.push(record);
    this.#settles.push(settle);
    this.#bytes += recordCost(record.bytes.length);
  }

  /** Takes the oldest out, as many as fit; the first in any case. */
  take(maxBytes: number): TakenRecords {
    const count = this.#fitting(maxBytes);
    const isAll = count === this.#records.length;
    const records = isAll ? this.#records : this.#records.splice(0, count);
    const settles = isAll ? this.#settles : this.#settles.splice(0, count);
    let bytes = this.#bytes;
    if (isAll) {
      this.#records = [];
      this.#settles = [];
    } else {
      bytes = records.reduce((sum, record) => sum + recordCost(record.bytes.length), 0);
    }
    this.#bytes -= bytes;
    return { records, bytes, settles: settles.filter((settle) => settle !== undefined) };
  }

  /** Takes all of them out, the oldest first. */
  drain(take: (record: LinkRecord, settle: Settle | undefined) => void): void {
    const records = this.#records;
    const settles = this.#settles;
    this.#records = [];
    this.#settles = [];
    this.#bytes = 0;
    for (const [index, record] of records.entries()) take(record, settles[index]);
  }

  #fitting(maxBytes: number): number {
    if (this.#bytes <= maxBytes) return this.#records.length;
    let bytes = 0;
    const beyond = this.#records.findIndex((record) => {
      bytes += recordCost(record.bytes.length);
      return bytes > maxBytes;
    });
    return Math.max(1, beyond);
  }
}
