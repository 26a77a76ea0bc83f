import type { ClassFigures } from "./ledger.ts";
import type { Bounds, Measured } from "./scenarios.ts";

/** What came out of one scenario. */
export interface Outcome extends Measured {
  readonly scenario: string;
  readonly live: ClassFigures;
  readonly durable: ClassFigures;
  /** Of newcomers while there was a fault. */
  readonly connectP99Ms: number;
  readonly subscribeP99Ms: number;
  readonly failedConnects: number;
  /** Longest time that a client was without a connection. */
  readonly longestOutageMs: number;
  readonly lostSessions: number;
  /** What senders were told, and how often. */
  readonly failures: Readonly<Record<string, number>>;
}

/** Which bounds were broken, each as a sentence. */
export function brokenBounds(outcome: Outcome, bounds: Bounds): string[] {
  const { live, durable } = outcome;
  const broken: string[] = [];
  const atMost = (what: string, is: number | undefined, bound: number | undefined): void => {
    if (bound === undefined || (is !== undefined && is <= bound)) return;
    broken.push(`${what}: ${is ?? "not measured"}, and ${bound} at the most`);
  };
  atMost("live messages lost without a word", live.lost, 0);
  atMost("live messages doubled", live.doubled, 0);
  atMost("live messages out of order", live.reordered, 0);
  atMost("durable messages lost", durable.lost, 0);
  atMost("durable messages doubled", durable.doubled, 0);
  atMost("durable messages out of order", durable.reordered, 0);
  atMost("publishes without an answer", live.pending + durable.pending, 0);
  if (bounds.liveIsWhole) {
    // Every player is there all the time. Of a node that is lost nobody knows who will be back.
    atMost("players said to be offline", live.offline, 0);
    atMost("live messages failed or unknown", live.failed + live.unknown, 0);
    atMost("live messages missed, told as a gap", live.toldAsGap, 0);
  }
  atMost("longest stall of live messages, ms", live.longestStallMs, bounds.longestStallMs);
  const after = durable.longestAnswerAfterMs;
  atMost("longest answer of durable messages, once served again, ms", after, bounds.longestAnswerAfterMs);
  atMost("longest time without a connection, ms", outcome.longestOutageMs, bounds.longestOutageMs);
  atMost("growth of a node's memory, MiB", outcome.memoryGrowthMib, bounds.memoryGrowthMib);
  if (live.received === 0 || durable.received === 0) broken.push("nothing was received at all");
  return broken;
}
