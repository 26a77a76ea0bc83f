/** (origin, channel) pairs that are remembered; at the bound the one that was quiet the longest is forgotten. */
const maxOrigins = 100_000;

/**
 * The last seq of each origin in each channel, volatile messages apart: a message that is not newer is a repeat. A session that moved, or lost its node, may
 * repeat at another one what was sent on already.
 */
export class RecentSeqs {
  readonly #capacity: number;
  readonly #last = new Map<string, number>();

  constructor(capacity = maxOrigins) {
    this.#capacity = capacity;
  }

  /** Whether the message is a repeat; if not, it is remembered. */
  isRepeat(channelKey: string, origin: bigint, seq: number, volatile: boolean): boolean {
    const id = `${volatile ? "v" : "l"}${origin}${channelKey}`;
    const last = this.#last.get(id);
    if (last !== undefined && seq <= last) return true;
    this.#last.delete(id); // to the end
    this.#last.set(id, seq);
    if (this.#last.size > this.#capacity) {
      const [oldest] = this.#last.keys();
      if (oldest !== undefined) this.#last.delete(oldest);
    }
    return false;
  }
}
