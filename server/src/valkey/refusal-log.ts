import type { Clock } from "../clock.ts";
import type { Log } from "../observe/log.ts";
import { refusalOf } from "./reply-errors.ts";
import type { Reply } from "./valkey-client.ts";

/** What a {@link RefusalLog} is made of. */
export interface RefusalLogOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Whose commands these are; for the log. */
  readonly name: string;
}

/** Least time between two lines of one kind of error, in milliseconds. */
const intervalMs = 60_000;
/** Kinds that are told apart; others are told as one. */
const maxKinds = 16;

/**
 * Tells in the log what Valkey itself refuses, in its own words: a permission that is missing, no memory left. Callers are told that a store
 * is out of reach or has refused, and what an operator could mend is in nothing else.
 */
export class RefusalLog {
  readonly #options: RefusalLogOptions;
  /** When each kind, the first word of an error, was told last. */
  readonly #toldAtMs = new Map<string, number>();

  constructor(options: RefusalLogOptions) {
    this.#options = options;
  }

  /** Takes note of an error, or of a reply that may be one. */
  note(reply: unknown): void {
    if (!(reply instanceof Error)) return;
    const reason = refusalOf(reply);
    if (reason === undefined) return;
    const { clock, log, name } = this.#options;
    const word = /^\w+/.exec(reason)?.[0] ?? "";
    const kind = this.#toldAtMs.has(word) || this.#toldAtMs.size < maxKinds ? word : "";
    const nowMs = clock.monotonicMs();
    if (nowMs - (this.#toldAtMs.get(kind) ?? Number.NEGATIVE_INFINITY) < intervalMs) return;
    this.#toldAtMs.set(kind, nowMs);
    log.warn("valkey refuses a command", { client: name, reason });
  }

  /** The same for all replies of a batch. */
  noteAll(replies: readonly Reply[]): void {
    for (const reply of replies) this.note(reply);
  }
}
