import { NodeState } from "@fanfare/proto/control/v1";
import { describe, expect, it } from "vitest";
import { requireTool } from "../../test/require-tool.ts";
import { refusalNames, refusalOf } from "./control/testing/control-fixture.ts";
import { createLog, type LogEntry } from "./observe/log.ts";
import { startTestServer, type TestServerOptions } from "./testing/test-server.ts";
import { startStandalone } from "./testing/valkey-processes.ts";

const clusterKey = "signs the resume secrets of nodes that agree with each other";

/** A node, and what it warns of that concerns another, by its name. */
async function startNode(options: TestServerOptions) {
  const warnings: LogEntry[] = [];
  const sink = (entry: LogEntry) => void (entry.fields.node !== undefined && warnings.push(entry));
  const log = createLog({ level: "warn", sink, nowMs: Date.now });
  return { server: await startTestServer({ clusterKey, ...options, log }), warnings };
}

describe.skipIf(requireTool("valkey-server") === undefined)("nodes of one cluster", () => {
  it("say nothing when they agree, and both tell what is configured differently", async () => {
    await using valkey = await startStandalone();
    const one = await startNode({ valkey, nodeId: "one" });
    await using _one = one.server;
    const two = await startNode({ valkey, nodeId: "two" });
    await using _two = two.server;
    expect([...one.warnings, ...two.warnings]).toEqual([]);
    const other = await startNode({
      ...{ valkey, nodeId: "other", valkeySettings: { lanes: 8 } },
      clusterKey: "another one, as of another file that was copied",
    });
    await using _other = other.server;
    const about = (node: string) => [
      { message: expect.stringContaining("valkey.lanes"), fields: { node } },
      { message: expect.stringContaining("cluster_keys"), fields: { node } },
    ];
    for (const { warnings } of [one, two]) {
      await expect.poll(() => warnings, { timeout: 5_000 }).toMatchObject(about("other"));
    }
    const byNode = () => other.warnings.toSorted((a, b) => (String(a.fields.node) < String(b.fields.node) ? -1 : 1));
    await expect.poll(byNode, { timeout: 5_000 }).toMatchObject([...about("one"), ...about("two")]);
  }, 30_000);

  it("are not drained by a name that several have, but the one that is asked without a name", async () => {
    await using valkey = await startStandalone();
    const [{ server: one }, { server: two }] = [
      await startNode({ valkey, nodeId: "same" }),
      await startNode({ valkey, nodeId: "same" }),
    ];
    await using _one = one;
    await using _two = two;
    await using three = await startTestServer({ valkey, clusterKey, nodeId: "three" });
    for (const asked of [one, two, three]) {
      const refused = () => asked.controlOfNodes().drain({ nodeId: "same" });
      expect(await refusalNames(refused())).toBe("FailedPrecondition FAILED_PRECONDITION node_id");
      const { error } = await refusalOf(refused());
      for (const { server } of [one, two]) expect(error?.message).toContain(server.node.incarnation.toString(16));
    }
    const { nodes } = await three.control().listNodes({});
    expect(nodes.map(({ state }) => state)).toEqual([NodeState.READY, NodeState.READY, NodeState.READY]);
    await two.controlOfNodes().drain({});
    await two.server.closed;
    await expect.poll(async () => (await three.control().listNodes({})).nodes.length).toBe(2);
    await three.controlOfNodes().drain({ nodeId: "same" });
    await one.server.closed;
  }, 30_000);
});
