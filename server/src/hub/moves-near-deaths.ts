import type { Clock, Timer } from "../clock.ts";
import type { Session } from "./session.ts";

/** What is known of moves and deaths, and who is told. */
export interface MovesNearDeathsOptions {
  readonly clock: Clock;
  /** How long after a death its publishers may come back and repeat, in milliseconds: their resume window. */
  readonly resumeWindowMs: number;
  /** Tells a session that something may be missing. */
  readonly tell: (session: Session) => void;
}

/** How long before a death is noticed messages of the dead node may have been on their way, in milliseconds; more than links hold them and leases live. */
const lookBackMs = 30_000;

/**
 * A node that dies may have told one node of a message and not yet another. Its publisher repeats the message, and whoever has had it takes no second one. A
 * session that moves without a gap from a node that lacks it to one that has had it would never get it: so who moves around the time of a death is told of a gap
 * after all. Bounded by the sessions here that have come within twice 30 s.
 */
export class MovesNearDeaths {
  readonly #options: MovesNearDeathsOptions;
  /** When, in the order in which they moved. */
  readonly #moves = new Map<Session, number>();
  #diedAtMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;

  constructor(options: MovesNearDeathsOptions) {
    this.#options = options;
  }

  /** A session has come here by hand-over, and is served. */
  moved(session: Session): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#moves.delete(session);
    this.#moves.set(session, nowMs);
    this.#forgetLater();
    if (nowMs - this.#diedAtMs <= this.#options.resumeWindowMs) this.#options.tell(session);
  }

  /** How many moves are remembered. */
  get size(): number {
    return this.#moves.size;
  }

  /** A session has ended, or has gone on elsewhere. */
  left(session: Session): void {
    if (!this.#moves.delete(session) || this.#moves.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Another node is gone without having taken its leave. */
  died(): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#diedAtMs = nowMs;
    for (const [session, atMs] of this.#moves) {
      if (nowMs - atMs <= lookBackMs) this.#options.tell(session);
    }
  }

  /** One timer for all moves, and none while there is nothing to forget. */
  #forgetLater(): void {
    const { clock } = this.#options;
    this.#timer ??= clock.setTimer(lookBackMs, () => {
      this.#timer = undefined;
      const nowMs = clock.monotonicMs();
      for (const [session, atMs] of this.#moves) {
        if (nowMs - atMs < lookBackMs) break; // in the order in which they moved
        this.#moves.delete(session);
      }
      if (this.#moves.size > 0) this.#forgetLater();
    });
  }
}
