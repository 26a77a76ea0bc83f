/** An entry that is kept. */
export interface StoredEntry {
  readonly offset: number;
  readonly tag: number;
  readonly previousTag: number;
  readonly body: Uint8Array;
  readonly origin: bigint;
  readonly seq: number;
  readonly expiresAtMs: number;
  readonly excludeSelf: boolean;
  /** Never less than that of the entry before it. */
  readonly storedAtMs: number;
  /** Bytes of all bodies up to this one since the log was last empty. */
  readonly sumBytes: number;
  /** Offset of the append of this origin before it; 0: none known. */
  readonly previousOfOrigin: number;
}

interface Slot {
  readonly tag: number;
  /** Undefined: deleted; the tag stays, so that a position here can be verified. */
  entry: StoredEntry | undefined;
}

/** What an entry costs beside its body, in bytes; estimated. */
const entryOverheadBytes = 256;

/** Entries by their offsets, which have no holes: appended at one end, dropped at the other. */
export class EntryQueue {
  #slots: Slot[] = [];
  #start = 0;
  /** Offset of the slot at #start. */
  #firstOffset = 1;
  #heldBytes = 0;

  /** Bytes of bodies and an estimate of what comes with them. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** The oldest entry that was not deleted. */
  get first(): StoredEntry | undefined {
    for (let i = this.#start; i < this.#slots.length; i++) {
      const entry = this.#slots[i]?.entry;
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  /** The newest entry that was not deleted. */
  get last(): StoredEntry | undefined {
    for (let i = this.#slots.length - 1; i >= this.#start; i--) {
      const entry = this.#slots[i]?.entry;
      if (entry !== undefined) return entry;
    }
    return undefined;
  }

  push(entry: StoredEntry): void {
    if (this.#slots.length === this.#start) this.#firstOffset = entry.offset;
    this.#slots.push({ tag: entry.tag, entry });
    this.#heldBytes += costOf(entry);
  }

  /** Drops the oldest entry, and what was deleted before it. */
  shift(): StoredEntry | undefined {
    const dropped = this.first;
    if (dropped === undefined) return undefined;
    const count = dropped.offset - this.#firstOffset + 1;
    this.#slots.fill(gone, this.#start, this.#start + count);
    this.#start += count;
    this.#firstOffset += count;
    this.#heldBytes -= costOf(dropped);
    if (this.#start > 64 && this.#start * 2 > this.#slots.length) {
      this.#slots = this.#slots.slice(this.#start);
      this.#start = 0;
    }
    return dropped;
  }

  /** The entry, unless it was deleted or dropped. */
  at(offset: number): StoredEntry | undefined {
    return this.#slot(offset)?.entry;
  }

  /** The tag at an offset that was not dropped. */
  tagAt(offset: number): number | undefined {
    return this.#slot(offset)?.tag;
  }

  /** Removes an entry; its slot stays. */
  delete(offset: number): void {
    const slot = this.#slot(offset);
    if (slot?.entry === undefined) return;
    this.#heldBytes -= costOf(slot.entry);
    slot.entry = undefined;
  }

  clear(): void {
    this.#slots = [];
    this.#start = 0;
    this.#heldBytes = 0;
  }

  #slot(offset: number): Slot | undefined {
    return offset < this.#firstOffset ? undefined : this.#slots[this.#start + offset - this.#firstOffset];
  }
}

const gone: Slot = { tag: 0, entry: undefined };

function costOf({ body }: StoredEntry): number {
  return body.length + entryOverheadBytes;
}
