import { setTimeout as pause } from "node:timers/promises";
import type { Crowd } from "./crowd.ts";
import { quantile } from "./ledger.ts";

const lookEveryMs = 1_000;
const warmMs = 50;
const leastLooks = 2;
const mostLooks = 10;

/** Lets a crowd talk until it is answered fast for a second, or for 10 s. Returns when that was, by the monotonic clock. */
export async function untilWarm(crowd: Crowd): Promise<number> {
  for (let look = 1; ; look++) {
    const from = crowd.sent.length;
    await pause(lookEveryMs);
    const nowMs = performance.now();
    const waits = crowd.sent
      .slice(from)
      .map(({ sentAtMs, answeredAtMs, outcome }) => (outcome === "pending" ? nowMs : answeredAtMs) - sentAtMs)
      .sort((a, b) => a - b);
    const isWarm = waits.length > 0 && quantile(waits, 0.95) <= warmMs;
    if ((look >= leastLooks && isWarm) || look === mostLooks) return performance.now();
  }
}
