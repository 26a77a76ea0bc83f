import type { ServiceImpl } from "@connectrpc/connect";
import type { ControlService } from "@fanfare/proto/control/v1";
import { callPlayerCall } from "./cluster/call-player.ts";
import { clusterCalls } from "./cluster/cluster-calls.ts";
import { Scatter } from "./cluster/scatter.ts";
import type { ControlNode, NodeActions } from "./control-context.ts";
import { groupCalls } from "./group-calls.ts";
import { logCalls } from "./log-calls.ts";
import { nodeCalls } from "./node-calls.ts";
import { playerCalls } from "./player-calls.ts";
import { rebalanceAlone, rebalanceCalls } from "./rebalance.ts";
import { sessionCalls } from "./session-calls.ts";

/** What the control API does, but for publishing and watching. */
export type ControlCalls = Omit<ServiceImpl<typeof ControlService>, "publish" | "watchEvents">;

/** The calls as one node carries them out: for itself, or with the nodes of its cluster, whose questions it answers from now on. */
export function controlCalls(node: ControlNode, { beginDrain, sendAway }: NodeActions): ControlCalls {
  const local = {
    ...groupCalls(node),
    ...playerCalls(node),
    ...sessionCalls(node),
    ...nodeCalls(node, beginDrain),
    ...logCalls(node),
    ...rebalanceAlone,
  };
  const { cluster } = node;
  if (cluster === undefined) return local;
  const scatter = new Scatter(cluster, local);
  return {
    ...local,
    ...clusterCalls(node, cluster, scatter),
    ...callPlayerCall(node, cluster, scatter),
    ...rebalanceCalls(node, cluster, scatter, sendAway),
  };
}
