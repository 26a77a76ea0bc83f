import type { ClientBreaks } from "../mutants/client-mutants.ts";

/** Combinations that are remembered. */
const most = 4_096;

/** The last seq of each origin, channel and volatile: what is not newer was had. */
export class Seen {
  readonly #last = new Map<string, bigint>();
  readonly #breaks: ClientBreaks;

  constructor(breaks: ClientBreaks) {
    this.#breaks = breaks;
  }

  isNew(channel: string, { origin, seq, volatile }: { origin: bigint; seq: bigint; volatile: boolean }): boolean {
    if (this.#breaks.has("repeats-delivered")) return true;
    const where = this.#breaks.has("seen-by-origin-alone") ? "" : channel;
    const key = `${origin} ${this.#breaks.has("volatile-among-others") ? "" : volatile} ${where}`;
    const last = this.#last.get(key);
    if (last !== undefined && seq <= last) return false;
    this.#last.delete(key); // the one unused for longest is the first
    this.#last.set(key, seq);
    if (this.#last.size > (this.#breaks.has("few-origins-remembered") ? 64 : most)) {
      for (const oldest of this.#last.keys()) {
        this.#last.delete(oldest);
        break;
      }
    }
    return true;
  }

  /** Forgets what was had of a channel. */
  forget(channel: string): void {
    for (const key of this.#last.keys()) if (key.endsWith(` ${channel}`)) this.#last.delete(key);
  }

  clear(): void {
    this.#last.clear();
  }
}
