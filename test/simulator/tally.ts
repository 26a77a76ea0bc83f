import { Outcome } from "@fanfare/sdk-core";
import type { Simulation } from "../../server/src/testing/simulation/simulation.ts";
import type { Ledger } from "./ledger.ts";

/** How much happened in a run, or in many. */
export type Tally = Record<string, number>;

/** Counts what happened in a run. */
export function tally({ published, subscribers }: Ledger, { events, nowMs }: Simulation): Tally {
  const counts: Tally = { events, virtualMs: Math.round(nowMs), published: published.size, received: 0, gaps: 0 };
  for (const { outcome, isVolatile } of published.values()) {
    const name = isVolatile ? "volatile" : outcome === undefined ? "unanswered" : Outcome[outcome].toLowerCase();
    counts[name] = (counts[name] ?? 0) + 1;
  }
  for (const { received } of subscribers) {
    for (const { type } of received) counts[type === "gap" ? "gaps" : "received"]! += 1;
  }
  return counts;
}

/** Adds one tally to another. */
export function addTally(total: Tally, one: Tally): void {
  for (const [name, count] of Object.entries(one)) total[name] = (total[name] ?? 0) + count;
}
