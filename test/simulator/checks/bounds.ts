import { maxJoinedBytes } from "../../../server/src/gateway/join-frames.ts";
import type { NodePlace } from "../node-place.ts";
import type { Plan } from "../plan.ts";
import { maxPayloadBytes } from "../run-config.ts";

/** One message, with what is around it on its way. */
const messageBytes = maxPayloadBytes + 4096;
/** More timers than any node of a run needs. */
const maxTimers = 2_000;

/** What of a node's queues is past its bounds, in sentences. */
export function excessOf(place: NodePlace, { sendQueueBytes }: Plan): string[] {
  const { node, links } = place;
  if (node === undefined || node.isOver) return [];
  const faults: string[] = [];
  const hold = (what: string, value: number, bound: number): void => {
    if (value > bound) faults.push(`${node.name} has ${value} ${what}, and ${bound} is the most`);
  };
  for (const { queuedBytes } of node.connections.all) {
    // Beside what waits: what is joined in this turn, and the write that was begun.
    hold("bytes in the queue of one connection", queuedBytes, sendQueueBytes + maxJoinedBytes + 2 * messageBytes);
  }
  hold("timers", place.timers, maxTimers);
  if (links === undefined) return faults;
  const { bounds, counters } = links;
  const { peers, waitingBytes, unacknowledgedBytes, earlyBytes } = counters;
  const waiting = bounds.maxLiveBytes + bounds.maxVolatileBytes + bounds.maxDurableBytes + bounds.maxControlBytes;
  hold("peers", peers, bounds.maxPeers);
  hold("bytes waiting for links", waitingBytes, peers * waiting);
  hold("bytes without acknowledgement", unacknowledgedBytes, peers * (bounds.maxPeerInboundBytes + messageBytes));
  hold("bytes before their turn", earlyBytes, bounds.maxInboundBytes + peers * messageBytes);
  return faults;
}
