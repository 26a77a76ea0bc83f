import type { Outcome } from "./verdict.ts";

/** An outcome, and which bounds it broke. */
export type Judged = Outcome & { readonly broken: readonly string[] };

/** A scenario that did not come to its end, and so has no figures. */
export interface Failed {
  readonly scenario: string;
  readonly error: string;
  readonly broken: readonly string[];
}

/** What became of a scenario. */
export type Result = Judged | Failed;

/** Prints what became of the messages, and what clients noticed besides. */
export function printTables(results: readonly Result[]): void {
  const outcomes = results.filter((one): one is Judged => "live" in one);
  console.table(Object.fromEntries(outcomes.flatMap((outcome) => [row(outcome, "live"), row(outcome, "durable")])));
  console.table(
    Object.fromEntries(
      results.map((one) => [
        one.scenario,
        "error" in one
          ? { holds: false }
          : {
              "connect p99 ms": one.connectP99Ms,
              "subscribe p99 ms": one.subscribeP99Ms,
              "failed connects": one.failedConnects,
              ...(one.heldBackNewcomers > 0 && { "held back": one.heldBackNewcomers }),
              "longest outage ms": one.longestOutageMs,
              "not back": one.disconnected,
              "lost sessions": one.lostSessions,
              ...(one.highestRate !== undefined && { "messages/s": one.highestRate }),
              ...(one.linkWaitingMib !== undefined && {
                "waiting MiB": one.linkWaitingMib,
                "resident MiB": one.residentGrowthMib,
              }),
              ...(one.elsewhere.due > 0 && { elsewhere: elsewhere(one) }),
              holds: one.broken.length === 0,
            },
      ]),
    ),
  );
  console.log(
    "under fault, without: the longest stall while there was a fault, and while there was none, which the machine is to blame for",
  );
  console.log(
    "once served: the longest answer, and the latest arrival, from when what had failed was served again, as after an election",
  );
  console.log(
    "elsewhere: live, between sessions at nodes that nothing was done to: due, missed, failed or unknown, gaps",
  );
  console.log(
    "gaps: told to receivers, whether they have missed something or not; told gap: what they have missed, of live channels",
  );
  console.log(
    "waiting: the most that waited on a node to be sent to others; resident: growth of the memory of the node where it grew most",
  );
  console.log("connect and subscribe p99 are of newcomers while there was the fault");
}

function row(outcome: Outcome, of: "live" | "durable"): [string, object] {
  const { sent, delivered, offline, failed, unknown, received, lost, toldAsGap, gaps, doubled, reordered, ...rest } =
    outcome[of];
  const counts = { sent, ok: delivered, offline, failed, unknown, received, lost, "told gap": toldAsGap, gaps };
  const times = {
    "p99 ms": rest.p99Ms,
    "stall ms": rest.longestStallMs,
    "under fault": rest.faultStallMs,
    without: rest.quietStallMs,
    "answer ms": rest.longestAnswerMs,
    "once served": rest.longestAnswerAfterMs,
    "arrived, once served": rest.longestArrivalAfterMs,
  };
  return [`${outcome.scenario}, ${of}`, { ...counts, doubled, reordered, ...times }];
}

function elsewhere({ elsewhere: { due, missed, failed, gaps } }: Outcome): string {
  return `${due}, ${missed}, ${failed}, ${gaps}`;
}
