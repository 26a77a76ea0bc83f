import type { Clock } from "../../clock.ts";
import type { Log } from "../../observe/log.ts";
import type { LinkOutcome } from "./link-port.ts";

/** Is told what became of a record. */
export type Settle = (outcome: LinkOutcome) => void;

/** Tells what became of records, at the end of the turn: nobody is called back from within a call. */
export class Settlements {
  readonly #clock: Clock;
  readonly #log: Log;
  #waiting: { settles: readonly Settle[]; outcome: LinkOutcome }[] = [];

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  add(settles: readonly Settle[], outcome: LinkOutcome): void {
    if (settles.length === 0) return;
    if (this.#waiting.length === 0) this.#clock.defer(() => this.#tell());
    this.#waiting.push({ settles, outcome });
  }

  #tell(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { settles, outcome } of waiting) {
      for (const settle of settles) {
        try {
          settle(outcome);
        } catch (reason) {
          this.#log.error("a record's outcome could not be told", { reason });
        }
      }
    }
  }
}
