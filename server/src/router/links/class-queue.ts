import type { LinkRecord } from "./link-port.ts";
import type { Settle } from "./settlements.ts";

/** A record in a {@link ClassQueue}. */
export interface QueuedRecord {
  readonly record: LinkRecord;
  readonly settle: Settle | undefined;
  /** Grows with every record of the link. */
  readonly order: number;
  /** By the monotonic clock. */
  readonly sinceMs: number;
  /** What it counts against the bound. */
  readonly bytes: number;
  /** No other in the queue has the same. */
  readonly key: string | undefined;
}

class Entry {
  readonly queued: QueuedRecord;
  previous: Entry | undefined;
  next: Entry | undefined;

  constructor(queued: QueuedRecord, previous: Entry | undefined) {
    this.queued = queued;
    this.previous = previous;
  }
}

/** Records of one class that wait, the oldest first; any can be taken out by its key. */
export class ClassQueue {
  readonly #byKey = new Map<string, Entry>();
  #first: Entry | undefined;
  #last: Entry | undefined;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get first(): QueuedRecord | undefined {
    return this.#first?.queued;
  }

  push(queued: QueuedRecord): void {
    const entry = new Entry(queued, this.#last);
    if (this.#last === undefined) this.#first = entry;
    else this.#last.next = entry;
    this.#last = entry;
    this.#bytes += queued.bytes;
    if (queued.key !== undefined) this.#byKey.set(queued.key, entry);
  }

  shift(): QueuedRecord | undefined {
    return this.#first && this.#remove(this.#first);
  }

  takeByKey(key: string): QueuedRecord | undefined {
    const entry = this.#byKey.get(key);
    return entry && this.#remove(entry);
  }

  #remove(entry: Entry): QueuedRecord {
    const { queued, previous, next } = entry;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    this.#bytes -= queued.bytes;
    if (queued.key !== undefined) this.#byKey.delete(queued.key);
    return queued;
  }
}
