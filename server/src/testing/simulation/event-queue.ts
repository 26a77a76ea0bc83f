/** Something that is going to happen. */
export interface ScheduledEvent {
  readonly atMs: number;
  readonly callback: () => void;
  /** It will not happen. */
  cancel(): void;
}

class Entry implements ScheduledEvent {
  readonly atMs: number;
  readonly order: number;
  callback: () => void;
  isCancelled = false;

  constructor(atMs: number, order: number, callback: () => void) {
    this.atMs = atMs;
    this.order = order;
    this.callback = callback;
  }

  cancel(): void {
    this.isCancelled = true;
    this.callback = nothing; // what it holds is not held until its time comes
  }
}

const nothing = (): void => {};

/** Events in the order of their times, and of their addition at the same time: a binary heap. */
export class EventQueue {
  readonly #heap: Entry[] = [];
  #order = 0;

  add(atMs: number, callback: () => void): ScheduledEvent {
    const entry = new Entry(atMs, this.#order++, callback);
    this.#rise(entry);
    return entry;
  }

  /** The next event, unless it is later than that. */
  take(untilMs: number): ScheduledEvent | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || (first.atMs > untilMs && !first.isCancelled)) return undefined;
      this.#removeFirst();
      if (!first.isCancelled) return first;
    }
  }

  #rise(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as Entry;
      if (isBefore(above, entry)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop() as Entry;
    const size = heap.length;
    if (size === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= size) break;
      const right = child + 1;
      if (right < size && isBefore(heap[right] as Entry, heap[child] as Entry)) child = right;
      if (isBefore(last, heap[child] as Entry)) break;
      heap[index] = heap[child] as Entry;
      index = child;
    }
    heap[index] = last;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
