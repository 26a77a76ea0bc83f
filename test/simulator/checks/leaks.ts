import type { NodePlace } from "../node-place.ts";
import { appId } from "../plan.ts";

/** What a node still holds of clients that have gone, in sentences. `idleTimers`: how many timers it had before the first came. */
export function leaksOf(place: NodePlace, idleTimers: number): string[] {
  const { node, nodeId } = place;
  if (node === undefined) return [`${nodeId} does not run`];
  const { counters, apps } = node.node;
  const hub = apps.get(appId)?.hub;
  const { cluster } = node.node;
  const left = {
    "routes of its own": cluster?.routes.size ?? 0,
    "bytes waiting for links": place.links?.counters.waitingBytes ?? 0,
    "bytes without acknowledgement": place.links?.counters.unacknowledgedBytes ?? 0,
    connections: counters.connections,
    "connections of the gateway": node.connections.all.size,
    "sessions by the counter": counters.sessions,
    sessions: hub?.sessions.size ?? 0,
    "detached sessions": counters.sessionsDetached,
    subscriptions: counters.subscriptions,
    "unauthenticated connections": counters.unauthenticated,
    "bytes in send queues": counters.sendQueueBytes,
    "timers more than before": Math.max(0, place.timers - idleTimers),
  };
  return Object.entries(left)
    .filter(([, count]) => count !== 0)
    .map(([what, count]) => `${node.name} still has ${count} ${what}`);
}
