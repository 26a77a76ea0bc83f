/** The id of an entry. */
export interface StreamId {
  readonly ms: number;
  readonly seq: number;
}

/** An entry of a stream: its fields and values in turns. */
export interface StreamEntry {
  readonly id: StreamId;
  readonly fields: readonly string[];
}

/** The value of a key that is a stream. */
export class Stream {
  /** By id. */
  entries: StreamEntry[] = [];
  lastId: StreamId = { ms: 0, seq: 0 };
  maxDeletedId: StreamId = { ms: 0, seq: 0 };
  added = 0;

  add(entry: StreamEntry): void {
    this.entries.push(entry);
    this.lastId = entry.id;
    this.added++;
  }

  /** Index of the first entry that is not before an id. */
  indexOf(id: StreamId): number {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareIds((this.entries[middle] as StreamEntry).id, id) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @returns whether it was there */
  remove(id: StreamId): boolean {
    const index = this.indexOf(id);
    const entry = this.entries[index];
    if (entry === undefined || compareIds(entry.id, id) !== 0) return false;
    this.entries.splice(index, 1);
    if (compareIds(id, this.maxDeletedId) > 0) this.maxDeletedId = id;
    return true;
  }

  clone(): Stream {
    const copy = new Stream();
    copy.entries = [...this.entries];
    copy.lastId = this.lastId;
    copy.maxDeletedId = this.maxDeletedId;
    copy.added = this.added;
    return copy;
  }
}

export function compareIds(a: StreamId, b: StreamId): number {
  return a.ms - b.ms || a.seq - b.seq;
}

/** `<ms>-<seq>`; without the second number `missingSeq` is taken for it. Undefined: no id. */
export function parseId(text: string, missingSeq: number): StreamId | undefined {
  const found = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (found === null) return undefined;
  return { ms: Number(found[1]), seq: found[2] === undefined ? missingSeq : Number(found[2]) };
}

export function textOfId({ ms, seq }: StreamId): string {
  return `${ms}-${seq}`;
}
