import type { Clock } from "../clock.ts";
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
 * after all. Bounded by the sessions that have moved here within 30 s.
 */
export class MovesNearDeaths {
  readonly #options: MovesNearDeathsOptions;
  /** When, in the order in which they moved. */
  readonly #moves = new Map<Session, number>();
  #diedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: MovesNearDeathsOptions) {
    this.#options = options;
  }

  /** A session has come here by hand-over, and is served. */
  moved(session: Session): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const [one, atMs] of this.#moves) {
      if (nowMs - atMs <= lookBackMs && !one.ended) break;
      this.#moves.delete(one);
    }
    this.#moves.delete(session);
    this.#moves.set(session, nowMs);
    if (nowMs - this.#diedAtMs <= this.#options.resumeWindowMs) this.#options.tell(session);
  }

  /** Another node is gone without having taken its leave. */
  died(): void {
    const nowMs = this.#options.clock.monotonicMs();
    this.#diedAtMs = nowMs;
    for (const [session, atMs] of this.#moves) {
      if (nowMs - atMs <= lookBackMs && !session.ended && !session.departed) this.#options.tell(session);
    }
  }
}
