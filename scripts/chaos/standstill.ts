import { setTimeout as pause } from "node:timers/promises";
import type { Crowd } from "./crowd.ts";
import type { FanfareNode } from "./fanfare-node.ts";
import { reachHighestRate } from "./highest-rate.ts";
import { lastingPeak } from "./lasting-peak.ts";
import type { Seen } from "./ledger.ts";
import type { Scenario } from "./scenario.ts";

/** What each message carries, in bytes; and those for players at the node that stands still, which nobody has to receive meanwhile. */
const paddingBytes = 8_192;
const stalledPaddingBytes = 200_000;
const stillMs = 20_000;
/** So long the others hold a node that stands still for one of them: its lease. */
const givenUpAfterMs = 6_000;
/** How often it is looked what the nodes hold; and how often in a row they must hold it, as what is just on its way comes and goes. */
const lookEveryMs = 750;
const looks = 2;

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
  // At the highest rate the machine has nothing left: some answers take longer than a publisher waits. What is held was 11 to 29 MiB, and 53 without the links' bounds.
  bounds: { liveIsWhole: false, durableFailShare: 0.01, heldGrowthMib: 32, residentGrowthMib: 96 },
  // With other work on the machine too little is said in the time for this to mean anything, and garbage waits.
  shortBounds: { liveIsWhole: false, durableFailShare: 0.01, residentGrowthMib: 96 },
  async run({ nodes, say, crowd, faults }) {
    const highestRate = await reachHighestRate(crowd, say);
    say(`the highest rate that was reached is ${highestRate} messages a second`);
    const [stalled, ...others] = nodes as [FanfareNode, ...FanfareNode[]];
    // What a node needs at this rate without a fault is not the fault's.
    await pause(5_000);
    const before = await whileHeld(others, pause(5_000));
    say(`stopping node ${stalled.nodeId}; most of what is said goes to players there`);
    crowd.aimAt(stalled.nodeId, stalledPaddingBytes);
    const from = crowd.sent.length;
    const stillSince = performance.now();
    const during = await faults.during(
      async () => {
        stalled.pause();
        const memory = await whileHeld(others, pause(stillMs));
        stalled.resume();
        return memory;
      },
      { settleMs: 5_000, nodeId: stalled.nodeId },
    );
    crowd.aimAt(undefined, 0);
    const said = others.map(({ nodeId }) => saidMib(crowd, from, stillSince, nodeId, stalled.nodeId));
    await pause(5_000);
    // The same is said once the node is given up, and nothing is held for it: what is held then is not held for it either.
    const growth = during.map(({ held }, i) => {
      const half = Math.ceil(held.length / 2);
      const without = [before[i]?.held ?? [], held.slice(half)].map((some) => lastingPeak(some, looks));
      return Math.round((lastingPeak(held.slice(0, half), looks) - Math.min(...without)) * 10) / 10;
    });
    const residentGrowth = during.map(({ resident }, i) => resident - (before[i]?.resident ?? 0));
    say(`${said.map((mib) => mib.toFixed(0)).join(" and ")} MiB were for its players before it was given up`);
    say(`the others held, before: ${before.map(({ held }) => held.join(" ")).join("; ")} MiB`);
    say(`the others held meanwhile: ${during.map(({ held }) => held.join(" ")).join("; ")} MiB`);
    return {
      highestRate,
      heldGrowthMib: Math.max(...growth),
      residentGrowthMib: Math.max(...residentGrowth),
      saidToStalledMib: Math.floor(Math.min(...said)),
    };
  },
};

/** What each node held, look by look, and its peak of resident memory, until something is over. */
async function whileHeld(
  nodes: readonly FanfareNode[],
  over: Promise<unknown>,
): Promise<{ held: number[]; resident: number }[]> {
  let isOver = false;
  over.finally(() => {
    isOver = true;
  });
  for (const node of nodes) node.resetPeakMemory();
  const held = nodes.map((): number[] => []);
  while (!isOver) {
    const now = await Promise.all(nodes.map((node) => node.heldMemoryMib()));
    for (const [i, mib] of now.entries()) held[i]?.push(mib);
    await pause(lookEveryMs);
  }
  await over;
  return nodes.map((node, i) => ({ held: held[i] as number[], resident: node.peakMemoryMib() }));
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
