import { describe } from "vitest";
import { requireTool } from "../../test/require-tool.ts";
import { type ClusterUnderTest, clusterContract, contractLimits } from "./cluster.contract.ts";
import { clusterRacesContract } from "./cluster-races.contract.ts";
import { clusterRevision } from "./router/cluster/cluster.ts";
import { startTestServer } from "./testing/test-server.ts";
import { startCluster, startStandalone, type ValkeyServers } from "./testing/valkey-processes.ts";

const clusterKey = "signs the resume secrets of a cluster under test";

/** One node is both: what clients see of it is what they see of two. */
async function embedded(): Promise<ClusterUnderTest> {
  const node = await startTestServer({ limits: contractLimits, clusterKey, additionalListeners: 0 });
  return { nodes: [node, node], [Symbol.asyncDispose]: () => node[Symbol.asyncDispose]() };
}

async function onValkey(
  start: () => Promise<ValkeyServers>,
  sharedLanePeers = 0,
  clusterRevisionOfTwo = clusterRevision,
): Promise<ClusterUnderTest> {
  await using opened = new AsyncDisposableStack();
  const valkey = opened.use(await start());
  const options = { valkey, limits: contractLimits, clusterKey, sharedLanePeers };
  const one = opened.use(await startTestServer({ ...options, nodeId: "one" }));
  const two = opened.use(await startTestServer({ ...options, nodeId: "two", clusterRevision: clusterRevisionOfTwo }));
  const all = opened.move();
  return { nodes: [one, two], [Symbol.asyncDispose]: () => all.disposeAsync() };
}

clusterContract("the embedded broker", embedded);
clusterRacesContract("the embedded broker", embedded);

describe.skipIf(requireTool("valkey-server") === undefined)("with real servers", () => {
  clusterContract("one Valkey", () => onValkey(startStandalone));
  clusterContract("one Valkey, with everything over the lane of all", () => onValkey(startStandalone, 1));
  clusterContract("one Valkey, with a node of the release before", () =>
    onValkey(startStandalone, 1, clusterRevision - 1),
  );
  clusterContract("a Valkey cluster, 3 + 3", () => onValkey(startCluster));
  clusterRacesContract("one Valkey", () => onValkey(startStandalone));
  clusterRacesContract("a Valkey cluster, 3 + 3", () => onValkey(startCluster));
  clusterContract("a Valkey cluster, 3 + 3, with everything over the lane of all", () => onValkey(startCluster, 1));
});
