import { nodeFaults } from "./node-faults.ts";
import type { Scenario } from "./scenario.ts";
import { slowSubscriber } from "./standstill.ts";
import { valkeyFaults } from "./valkey-faults.ts";

const { "restart-standalone": restartStandalone, ...onCluster } = valkeyFaults;
const { partition, "kill-node": killNode, "drain-node": drainNode } = nodeFaults;

/** All scenarios, in the order in which they are done: those on the same servers one after the other. */
export const scenarios: Readonly<Record<string, Scenario>> = {
  ...onCluster,
  "drain-node": drainNode,
  "kill-node": killNode,
  "slow-subscriber": slowSubscriber,
  partition,
  "restart-standalone": restartStandalone,
};
