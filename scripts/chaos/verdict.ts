import type { ElsewhereFigures } from "./elsewhere.ts";
import type { ClassFigures } from "./ledger.ts";
import type { Bounds, Measured } from "./scenario.ts";

/** What came out of one scenario. */
export interface Outcome extends Measured {
  readonly scenario: string;
  readonly live: ClassFigures;
  readonly durable: ClassFigures;
  /** Of live messages while something was done to one of the nodes. */
  readonly elsewhere: ElsewhereFigures;
  /** Of newcomers while there was a fault, failed ones included. */
  readonly connectP99Ms: number;
  readonly subscribeP99Ms: number;
  /** Newcomers who could not connect or join. */
  readonly failedConnects: number;
  /** Newcomers who have not come, because too many others were stuck. */
  readonly heldBackNewcomers: number;
  /** Longest time that a client was without a connection, whether it has come back or not. */
  readonly longestOutageMs: number;
  /** Clients that have no connection at the end. */
  readonly disconnected: number;
  readonly lostSessions: number;
  /** What senders were told, and how often. */
  readonly failures: Readonly<Record<string, number>>;
  /** Nodes that ended otherwise than they were told to, a sentence each. */
  readonly nodeEnds: readonly string[];
}

/** What was said to a node that stood still is at least so many times what may be held for it, or the bound was not put to the test. */
const leastSaidTimes = 2;

/** Which bounds were broken, each as a sentence. */
export function brokenBounds(outcome: Outcome, bounds: Bounds): string[] {
  const { live, durable, elsewhere } = outcome;
  const broken: string[] = [...outcome.nodeEnds];
  const atMost = (what: string, is: number | undefined, bound: number | undefined): void => {
    if (bound === undefined || (is !== undefined && is <= bound)) return;
    broken.push(`${what}: ${is ?? "not measured"}, and ${bound} at the most`);
  };
  const atLeast = (what: string, is: number | undefined, bound: number): void => {
    if (is === undefined || !(is >= bound)) broken.push(`${what}: ${is ?? "not measured"}, and ${bound} at the least`);
  };
  atMost("live messages lost without a word", live.lost, 0);
  atMost("live messages doubled", live.doubled, 0);
  atMost("live messages out of order", live.reordered, 0);
  atMost("durable messages lost", durable.lost, 0);
  atMost("durable messages doubled", durable.doubled, 0);
  atMost("durable messages out of order", durable.reordered, 0);
  // Whatever fails, the SDK repeats what is unanswered, and the log recognises it: each is stored.
  const mayFail = Math.floor((bounds.durableFailShare ?? 0) * durable.sent);
  atMost("durable messages failed or unknown", durable.failed + durable.unknown, mayFail);
  atMost("publishes without an answer", live.pending + durable.pending, 0);
  atMost("gaps told of durable channels", durable.gaps, bounds.durableGaps ?? 0);
  atMost("newcomers who have not come because too many were stuck", outcome.heldBackNewcomers, 0);
  atMost("newcomers who could not connect or join", outcome.failedConnects, bounds.failedConnects);
  atMost("clients without a connection at the end", outcome.disconnected, 0);
  // Whatever becomes of a node, its sessions go on at another.
  atMost("sessions begun anew", outcome.lostSessions, 0);
  if (bounds.liveIsWhole) {
    // Every player is there all the time. Of a node that is lost nobody knows who will be back.
    atMost("players said to be offline", live.offline, 0);
    atMost("live messages failed or unknown", live.failed + live.unknown, 0);
    atMost("live messages missed, told as a gap", live.toldAsGap, 0);
    atMost("gaps told of live channels", live.gaps, 0);
  }
  if (bounds.elsewhereIsWhole) {
    atLeast("live messages due between sessions at other nodes", elsewhere.due, 1);
    atMost("live messages missed between sessions at other nodes", elsewhere.missed, 0);
    atMost("live messages between sessions at other nodes failed, unknown or offline", elsewhere.failed, 0);
    atMost("gaps told to sessions at other nodes", elsewhere.gaps, 0);
  }
  atMost("longest stall of live messages, ms", live.longestStallMs, bounds.longestStallMs);
  const after = durable.longestAnswerAfterMs;
  atMost("longest answer of durable messages, once served again, ms", after, bounds.longestAnswerAfterMs);
  const { longestArrivalAfterMs } = durable;
  atMost("latest durable message, once served again, ms", longestArrivalAfterMs, bounds.longestArrivalAfterMs);
  atMost("longest time without a connection, ms", outcome.longestOutageMs, bounds.longestOutageMs);
  atMost("what waits on a node to be sent to others, MiB", outcome.linkWaitingMib, bounds.linkWaitingMib);
  atMost("growth of a node's resident memory, MiB", outcome.residentGrowthMib, bounds.residentGrowthMib);
  if (bounds.linkWaitingMib !== undefined) {
    atLeast("said to the node that stood still, MiB", outcome.saidToStalledMib, leastSaidTimes * bounds.linkWaitingMib);
  }
  if (live.received === 0 || durable.received === 0) broken.push("nothing was received at all");
  return broken;
}
