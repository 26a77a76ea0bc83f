import type { LogPosition } from "../log-position.ts";

/**
 * How far each channel is known to be acknowledged: by an append of this node, or a read's own WAIT. Bounded: past `maxEntries` the entry that was
 * noted the longest ago is forgotten, which costs one WAIT at the next read.
 */
export class ProvenHeads {
  readonly #heads = new Map<string, LogPosition>();
  readonly #maxEntries: number;

  constructor(maxEntries = 50_000) {
    this.#maxEntries = maxEntries;
  }

  /** Notes that everything up to a position is acknowledged. */
  note(tag: string, position: LogPosition): void {
    const known = this.#heads.get(tag);
    if (known?.epoch === position.epoch && known.offset >= position.offset) return;
    this.#heads.delete(tag);
    const [oldest] = this.#heads.keys();
    if (this.#heads.size >= this.#maxEntries && oldest !== undefined) this.#heads.delete(oldest);
    this.#heads.set(tag, position);
  }

  get(tag: string): LogPosition | undefined {
    return this.#heads.get(tag);
  }

  /** Whether this very head is acknowledged. A head behind the noted one is that of another, forked log. */
  covers(tag: string, head: LogPosition): boolean {
    const known = this.#heads.get(tag);
    return known?.epoch === head.epoch && known.offset === head.offset && known.tag === head.tag;
  }

  forget(tag: string): void {
    this.#heads.delete(tag);
  }
}
