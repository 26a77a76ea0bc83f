import { recordCost } from "./batch.ts";
import { ClassQueue, type QueuedRecord } from "./class-queue.ts";
import type { LinkRecord, RecordClass } from "./link-port.ts";
import type { Settle } from "./settlements.ts";

/** What a record counts beside its bytes: about what it takes up in memory. */
const recordOverheadBytes = 128;

/** Records that leave in one batch. */
export interface TakenRecords {
  readonly records: readonly LinkRecord[];
  /** What they count against credit. */
  readonly bytes: number;
  /** Of those whose outcome somebody wants to know. */
  readonly settles: readonly Settle[];
}

/** Why a record is not sent: a newer one stands for it, or a bound was reached. */
export type OutReason = "replaced" | "given_up";

/** Bounds of {@link WaitingRecords}. */
export interface WaitingBounds {
  /** By class. */
  readonly maxBytes: Readonly<Record<RecordClass, number>>;
  readonly holdMs: number;
}

/**
 * Records that a link cannot send now, in their order, within bounds of bytes and time. A volatile one is replaced by a newer one of its conflation, a durable
 * one by a newer one of its channel; past a bound the oldest of the class is given up.
 */
export class WaitingRecords {
  readonly #bounds: WaitingBounds;
  readonly #onOut: (out: QueuedRecord, reason: OutReason) => void;
  readonly #queues: Readonly<Record<RecordClass, ClassQueue>>;
  readonly #all: readonly ClassQueue[];
  #order = 0;

  /** @param onOut is told of records that are not sent */
  constructor(bounds: WaitingBounds, onOut: (out: QueuedRecord, reason: OutReason) => void) {
    this.#bounds = bounds;
    this.#onOut = onOut;
    const queues = {
      live: new ClassQueue(),
      volatile: new ClassQueue(),
      durable: new ClassQueue(),
      control: new ClassQueue(),
    };
    this.#queues = queues;
    this.#all = Object.values(queues);
  }

  get isEmpty(): boolean {
    return this.#all.every(({ first }) => first === undefined);
  }

  /** What all of them count against their bounds. */
  get bytes(): number {
    return this.#all.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Since when the oldest waits; undefined: none does. */
  get oldestMs(): number | undefined {
    return this.#all.reduce<number | undefined>(
      (oldest, { first }) => (first === undefined || first.sinceMs >= (oldest ?? Infinity) ? oldest : first.sinceMs),
      undefined,
    );
  }

  add(record: LinkRecord, settle: Settle | undefined, nowMs: number): void {
    const queue = this.#queues[record.class];
    const key = keyOf(record);
    const replaced = key === undefined ? undefined : queue.takeByKey(key);
    queue.push({
      record,
      settle,
      order: this.#order++,
      sinceMs: nowMs,
      bytes: record.bytes.length + recordOverheadBytes,
      key,
    });
    if (replaced !== undefined) this.#onOut(replaced, "replaced");
    while (queue.bytes > this.#bounds.maxBytes[record.class]) this.#giveUpFirst(queue);
  }

  /** Gives up what has waited for too long. */
  expire(nowMs: number): void {
    const { holdMs } = this.#bounds;
    for (const queue of this.#all) {
      while (queue.first !== undefined && queue.first.sinceMs + holdMs <= nowMs) this.#giveUpFirst(queue);
    }
  }

  /** Gives up everything. */
  clear(): void {
    for (const queue of this.#all) while (queue.first !== undefined) this.#giveUpFirst(queue);
  }

  /** Takes the oldest out, as many as fit; the first in any case. */
  take(maxBytes: number): TakenRecords {
    const records: LinkRecord[] = [];
    const settles: Settle[] = [];
    let bytes = 0;
    for (let queue = this.#oldest(); queue?.first !== undefined; queue = this.#oldest()) {
      const { first } = queue;
      const cost = recordCost(first.record.bytes.length);
      if (bytes > 0 && bytes + cost > maxBytes) break;
      queue.shift();
      bytes += cost;
      records.push(first.record);
      if (first.settle !== undefined) settles.push(first.settle);
    }
    return { records, bytes, settles };
  }

  #oldest(): ClassQueue | undefined {
    let oldest: ClassQueue | undefined;
    for (const queue of this.#all) {
      if (queue.first !== undefined && queue.first.order < (oldest?.first?.order ?? Infinity)) oldest = queue;
    }
    return oldest;
  }

  #giveUpFirst(queue: ClassQueue): void {
    const given = queue.shift();
    if (given !== undefined) this.#onOut(given, "given_up");
  }
}

function keyOf({ class: recordClass, channel, conflation }: LinkRecord): string | undefined {
  if (channel === undefined) return undefined;
  if (recordClass === "durable") return `${channel.appId}\n${channel.key}`;
  return recordClass === "volatile" && conflation ? `${channel.appId}\n${channel.key}\n${conflation}` : undefined;
}
