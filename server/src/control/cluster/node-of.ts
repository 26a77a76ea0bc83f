import { type NodeRecord, NodeState as PeerState } from "@fanfare/proto/cluster/v1alpha";
import { NodeState } from "@fanfare/proto/control/v1";

/** Another node, as the control API shows it. */
export function nodeOf({ nodeId, incarnation, state, version, startedAtMs, connections, sessions }: NodeRecord) {
  return {
    ...{ nodeId, incarnation, version, startedAtMs, connections, sessions },
    state: state === PeerState.DRAINING ? NodeState.DRAINING : NodeState.READY,
    broker: "valkey",
  };
}
