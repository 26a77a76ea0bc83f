import type { Outcome } from "./verdict.ts";

/** An outcome, and which bounds it broke. */
export type Judged = Outcome & { readonly broken: readonly string[] };

/** Prints what became of the messages, and what clients noticed besides. */
export function printTables(outcomes: readonly Judged[]): void {
  console.table(Object.fromEntries(outcomes.flatMap((outcome) => [row(outcome, "live"), row(outcome, "durable")])));
  console.table(
    Object.fromEntries(
      outcomes.map((one) => [
        one.scenario,
        {
          "connect p99 ms": one.connectP99Ms,
          "subscribe p99 ms": one.subscribeP99Ms,
          "failed connects": one.failedConnects,
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
  console.log("once served: the longest answer, from when what had failed was served again, as after an election");
  console.log(
    "elsewhere: live, between sessions at nodes that nothing was done to: due, missed, failed or unknown, gaps",
  );
  console.log("held, resident: growth of the memory of the node where it grew most");
  console.log("connect and subscribe p99 are of newcomers while there was the fault");
}

function row(outcome: Outcome, of: "live" | "durable"): [string, object] {
  const { sent, delivered, offline, failed, unknown, received, lost, toldAsGap, doubled, reordered, ...rest } =
    outcome[of];
  const counts = { sent, ok: delivered, offline, failed, unknown, received, lost, "told gap": toldAsGap };
  const times = {
    "p99 ms": rest.p99Ms,
    "stall ms": rest.longestStallMs,
    "under fault": rest.faultStallMs,
    without: rest.quietStallMs,
    "answer ms": rest.longestAnswerMs,
    "once served": rest.longestAnswerAfterMs,
  };
  return [`${outcome.scenario}, ${of}`, { ...counts, doubled, reordered, ...times }];
}

function elsewhere({ elsewhere: { due, missed, failed, gaps } }: Outcome): string {
  return `${due}, ${missed}, ${failed}, ${gaps}`;
}
