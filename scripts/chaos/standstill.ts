import { setTimeout as pause } from "node:timers/promises";
import type { Crowd } from "./crowd.ts";
import type { FanfareNode } from "./fanfare-node.ts";
import { reachHighestRate } from "./highest-rate.ts";
import type { Seen } from "./ledger.ts";
import type { Scenario } from "./scenario.ts";

/** What each message carries, in bytes; and those for players at the node that stands still, which nobody has to receive meanwhile. */
const paddingBytes = 8_192;
const stalledPaddingBytes = 200_000;
const stillMs = 20_000;
/** So long the others hold a node that stands still for one of them: its lease. */
const givenUpAfterMs = 6_000;
/** How often it is looked what waits on the nodes. */
const lookEveryMs = 200;

/** A node that stands still, at the highest rate that the clients reach. */
export const slowSubscriber: Scenario = {
  title: "a Fanfare node stands still for 20 s (SIGSTOP) at the highest rate that the clients reach",
  // Few receivers of each message, so that as much as possible goes from node to node and as little as possible to clients of the same process;
  // and many publishers, so that what each may have unanswered does not keep them from filling what a node holds.
  crowd: (clients) => ({
    groups: Math.ceil(clients / 2),
    durableGroups: Math.ceil(clients / 3),
    broadcastEvery: 500,
    publishers: Math.min(96, clients),
    rate: 300,
    paddingBytes,
  }),
  // At the highest rate the machine has nothing left: some answers take longer than a publisher waits. A link lets 7 MiB wait, and a node has two.
  bounds: {
    liveIsWhole: false,
    durableFailShare: 0.01,
    longestArrivalAfterMs: 45_000,
    linkWaitingMib: 14,
    residentGrowthMib: 96,
  },
  async run({ nodes, say, crowd, faults }) {
    const highestRate = await reachHighestRate(crowd, say);
    say(`the highest rate that was reached is ${highestRate} messages a second`);
    const [stalled, ...others] = nodes as [FanfareNode, ...FanfareNode[]];
    // What a node needs at this rate without a fault is not the fault's.
    for (const node of others) node.resetPeakMemory();
    await pause(10_000);
    const before = others.map((node) => node.peakMemoryMib());
    for (const node of others) node.resetPeakMemory();
    say(`stopping node ${stalled.nodeId}; most of what is said goes to players there`);
    crowd.aimAt(stalled.nodeId, stalledPaddingBytes);
    const from = crowd.sent.length;
    const stillSince = performance.now();
    const waiting = await faults.during(
      async () => {
        stalled.pause();
        const most = await mostWaiting(others, pause(stillMs));
        stalled.resume();
        return most;
      },
      { settleMs: 5_000, nodeId: stalled.nodeId },
    );
    crowd.aimAt(undefined, 0);
    const said = others.map(({ nodeId }) => saidMib(crowd, from, stillSince, nodeId, stalled.nodeId));
    const residentGrowth = others.map((node, i) => node.peakMemoryMib() - (before[i] ?? 0));
    await pause(5_000);
    say(`${said.map((mib) => mib.toFixed(0)).join(" and ")} MiB were for its players before it was given up`);
    say(`${waiting.join(" and ")} MiB at the most waited on the others`);
    return {
      highestRate,
      linkWaitingMib: Math.max(...waiting),
      residentGrowthMib: Math.max(...residentGrowth),
      saidToStalledMib: Math.floor(Math.min(...said)),
    };
  },
};

/** The most that waited on each node to be sent to others, until something is over. */
async function mostWaiting(nodes: readonly FanfareNode[], over: Promise<unknown>): Promise<number[]> {
  let isOver = false;
  over.finally(() => {
    isOver = true;
  });
  let most = nodes.map(() => 0);
  while (!isOver) {
    const now = await Promise.all(nodes.map((node) => node.linkWaitingMib()));
    most = most.map((mib, i) => Math.max(mib, now[i] ?? Number.NaN));
    await pause(lookEveryMs);
  }
  await over;
  return most;
}

/** How much live clients of one node said to players at the one that stood still, before that was given up. */
function saidMib(
  { sent, seen, whereabouts }: Crowd,
  from: number,
  sinceMs: number,
  ofNode: string,
  toNode: string,
): number {
  const isMeant = ({ subscriber, channel }: Seen) =>
    channel === `@${subscriber}` && whereabouts.isAt(subscriber, toNode, sinceMs);
  const channels = new Set(seen.filter(isMeant).map(({ channel }) => channel));
  const counts = sent.slice(from).filter((one) => {
    const isInTime = one.sentAtMs >= sinceMs && one.sentAtMs < sinceMs + givenUpAfterMs;
    return isInTime && !one.durable && channels.has(one.channel) && whereabouts.isAt(one.from, ofNode, one.sentAtMs);
  });
  return (counts.length * stalledPaddingBytes) / 2 ** 20;
}
