import type { ActiveRule } from "./rule-book.ts";

/** Past this many bytes that wait, the lane's source is not read any more; below half of it, it is again. */
const mostWaitingBytes = 1024 * 1024;

/** Something that passes a lane. */
export interface LaneItem {
  readonly bytes: number;
  /** It waits that long once it is the first, and everything behind it too. */
  readonly delayMs?: number;
  /** It waits, with everything behind it, until this rule is lifted. */
  readonly stalledBy?: ActiveRule;
  /** It counts for what waits until others have passed. */
  readonly isFrame?: boolean;
  write(): void;
}

/** What a lane asks of its ends. */
export interface LaneEnds {
  /** Bytes that the receiving end has not written to its network yet. */
  unsentBytes(): number;
  /** Read from the source, or do not. */
  read(go: boolean): void;
}

/** One direction of a connection through the proxy: everything in its order, but for what rules hold back. Bounded by not reading its source. */
export class Lane {
  readonly #ends: LaneEnds;
  readonly #queue: LaneItem[] = [];
  /** Out of their order: each until so many frames have passed. */
  #held: { readonly item: LaneItem; readonly by: ActiveRule; left: number }[] = [];
  #waitingBytes = 0;
  #isReading = true;
  #timer: NodeJS.Timeout | undefined;
  #waited: LaneItem | undefined;
  #over = false;

  constructor(ends: LaneEnds) {
    this.#ends = ends;
  }

  push(item: LaneItem): void {
    if (this.#over) return;
    this.#queue.push(item);
    this.#waitingBytes += item.bytes;
    this.pump();
  }

  /** Lets `count` frames pass before the item. */
  hold(item: LaneItem, count: number, by: ActiveRule): void {
    this.#held.push({ item, by, left: count });
  }

  /** Passes on what may pass now. */
  pump(): void {
    this.#release();
    for (let first = this.#queue[0]; first !== undefined && this.#mayPass(first); first = this.#queue[0]) {
      this.#queue.shift();
      this.#waitingBytes -= first.bytes;
      first.write();
      if (this.#over) return;
      if (!first.isFrame) continue;
      for (const one of this.#held) one.left--;
      this.#release();
    }
    const go = this.#waitingBytes < (this.#isReading ? mostWaitingBytes : mostWaitingBytes / 2);
    if (go === this.#isReading) return;
    this.#isReading = go;
    this.#ends.read(go);
  }

  /** Throws away what waits; nothing passes any more. */
  end(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#queue.length = 0;
    this.#held = [];
  }

  #mayPass(item: LaneItem): boolean {
    if (item.stalledBy !== undefined && !item.stalledBy.lifted) return false;
    if (this.#ends.unsentBytes() > mostWaitingBytes) return false; // whoever writes them calls `pump`
    if (item.delayMs === undefined || this.#waited === item) return true;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#waited = item;
      this.pump();
    }, item.delayMs);
    return false;
  }

  #release(): void {
    const due = this.#held.filter(({ left, by }) => left <= 0 || by.lifted);
    if (due.length === 0) return;
    this.#held = this.#held.filter((one) => !due.includes(one));
    for (const { item } of due) item.write();
  }
}
