import { ErrorCode, Outcome } from "@fanfare/proto/v1";
import { type LocalReport, nobody } from "./local-delivery.ts";
import type { RouteResult } from "./router.ts";

/** What became of a message at one node. */
export type NodeOutcome =
  /** Without a report it is not known whom it reached there. */
  | { readonly outcome: "delivered"; readonly report: LocalReport | undefined }
  /** It has certainly not got it. */
  | { readonly outcome: "failed" }
  | { readonly outcome: "unknown" };

/** Adds up what became of one live message at all the nodes it went to. */
export class PublishOutcome {
  #mayBeOffline: boolean;
  readonly #done: (result: RouteResult) => void;
  readonly #sum = { reached: 0, detached: 0, excluded: 0 };
  #open: number;
  #delivered = 0;
  #failed = 0;
  #unknown = 0;
  #isUncounted = false;

  /**
   * @param nodes how many will report; 0 is answered at once
   * @param mayBeOffline it is for a player of whom no session is known yet
   */
  constructor(nodes: number, mayBeOffline: boolean, done: (result: RouteResult) => void) {
    this.#open = nodes;
    this.#mayBeOffline = mayBeOffline;
    this.#done = done;
    if (nodes === 0) done(this.#result());
  }

  /** Once for each node. */
  add(outcome: NodeOutcome): void {
    if (outcome.outcome === "delivered") {
      this.#delivered++;
      const { reached, detached, excluded, online = false } = outcome.report ?? nobody;
      this.#mayBeOffline &&= !online;
      this.#isUncounted ||= outcome.report === undefined;
      this.#sum.reached += reached;
      this.#sum.detached += detached;
      this.#sum.excluded += excluded;
    } else if (outcome.outcome === "failed") this.#failed++;
    else this.#unknown++;
    if (--this.#open === 0) this.#done(this.#result());
  }

  #result(): RouteResult {
    const nodes = this.#delivered + this.#failed + this.#unknown;
    const report = { ...this.#sum, nodesUnreached: this.#failed + this.#unknown };
    if (this.#unknown > 0) {
      const message = `${this.#unknown} of ${nodes} nodes did not say in time whether they have it`;
      return { outcome: Outcome.UNKNOWN, code: ErrorCode.DEADLINE_EXCEEDED, message, report };
    }
    if (this.#failed > 0) {
      const message = `${this.#failed} of ${nodes} nodes could not be reached or refused it`;
      // Failed is what reached nobody, so that it can be tried again without being received twice.
      const outcome = this.#isUncounted || this.#sum.reached > 0 ? Outcome.UNKNOWN : Outcome.FAILED;
      return { outcome, code: ErrorCode.UNAVAILABLE, message, report };
    }
    const { reached, detached, excluded } = this.#sum;
    const isOffline = this.#mayBeOffline && reached + detached + excluded === 0;
    return { outcome: isOffline ? Outcome.OFFLINE : Outcome.DELIVERED, report: this.#sum };
  }
}
