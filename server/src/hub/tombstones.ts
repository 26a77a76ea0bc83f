import type { CloseCode } from "@fanfare/proto/v1";
import type { Clock } from "../clock.ts";

/** How a session ended that must not be resumed. */
export type TombstoneCode = CloseCode.DISCONNECTED | CloseCode.KICKED | CloseCode.BANNED | CloseCode.TOKEN_REVOKED;

/**
 * Sessions that were ended on purpose and whose resume secret is still within its window. Bounded: at `capacity` the oldest is
 * forgotten, after which its resume begins a new session instead of being refused.
 */
export class Tombstones {
  readonly #clock: Clock;
  readonly #windowMs: number;
  readonly #capacity: number;
  readonly #entries = new Map<string, { code: TombstoneCode; untilMs: number }>();

  constructor(clock: Clock, windowMs: number, capacity = 100_000) {
    this.#clock = clock;
    this.#windowMs = windowMs;
    this.#capacity = capacity;
  }

  add(sessionId: string, code: TombstoneCode): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [id, { untilMs }] of this.#entries) {
      if (untilMs > nowMs && this.#entries.size < this.#capacity) break; // entries are in the order of their end
      this.#entries.delete(id);
    }
    this.#entries.set(sessionId, { code, untilMs: nowMs + this.#windowMs });
  }

  /** The code that a resume of this session is refused with. */
  get(sessionId: string): TombstoneCode | undefined {
    const entry = this.#entries.get(sessionId);
    return entry !== undefined && entry.untilMs > this.#clock.monotonicMs() ? entry.code : undefined;
  }
}
