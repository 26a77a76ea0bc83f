import { setTimeout as pause } from "node:timers/promises";
import type { FanfareNode } from "./fanfare-node.ts";
import type { Act, Scenario } from "./scenario.ts";

/** How long a node is cut off, in milliseconds. */
const cutMs = 10_000;

/** What is done to Fanfare nodes, but for a standstill. */
export const nodeFaults = {
  "kill-node": {
    title: "kill -9 of a Fanfare node, which is started again after 10 s",
    bounds: {
      liveIsWhole: false,
      elsewhereIsWhole: true,
      longestArrivalAfterMs: 6_000,
      longestOutageMs: 5_000,
      failedConnects: 0,
    },
    async run({ nodes, say, isShort, faults }) {
      for (const node of isShort ? nodes.slice(0, 1) : nodes) {
        const { nodeId } = node;
        say(`killing node ${nodeId}`);
        await faults.during(
          async () => {
            await node.kill();
            await pause(10_000);
            await node.start();
          },
          { nodeId },
        );
        await pause(3_000);
      }
      return undefined;
    },
  },
  "drain-node": {
    title: "rolling deploy: every Fanfare node is drained and started again",
    bounds: { liveIsWhole: true, longestArrivalAfterMs: 1_000, longestOutageMs: 0, failedConnects: 0 },
    async run({ nodes, say, isShort, faults }) {
      for (const node of isShort ? nodes.slice(0, 1) : nodes) {
        say(`draining node ${node.nodeId}`);
        await faults.during(async () => {
          await node.drain();
          await node.start();
        });
        await pause(2_000);
      }
      return undefined;
    },
  },
  partition: {
    title:
      "a Fanfare node is cut off from Valkey for 10 s without a word, and keeps its clients; then another one, which is refused",
    on: "cuttable",
    bounds: { liveIsWhole: false, elsewhereIsWhole: true, longestArrivalAfterMs: 20_000, failedConnects: 0 },
    async run(act) {
      const { nodes, way, say, isShort, faults } = act;
      const [first, second] = nodes as [FanfareNode, FanfareNode];
      say(`node ${first.nodeId} and Valkey do not hear each other any more; their connections stay open`);
      const silence = async () => {
        way?.cut();
        await pause(cutMs);
        way?.mend();
      };
      await faults.during(silence, { settleMs: 5_000, nodeId: first.nodeId });
      say(`node ${first.nodeId} and Valkey hear each other again`);
      await pause(15_000);
      if (isShort) return undefined;
      say(
        `cutting node ${second.nodeId} off: its user is switched off and its connections are closed, again and again`,
      );
      await faults.during(() => refused(act, second), { settleMs: 5_000, nodeId: second.nodeId });
      say(`node ${second.nodeId} may connect again`);
      await pause(15_000);
      return undefined;
    },
  },
} satisfies Record<string, Scenario>;

/** Has Valkey turn a node away, as a firewall that rejects does: it is seen at once. */
async function refused({ valkey }: Act, node: FanfareNode): Promise<void> {
  const everywhere = (...command: string[]) =>
    Promise.all(valkey.processes.map((process) => process.command(...command).catch(() => "")));
  const untilMs = performance.now() + cutMs;
  while (performance.now() < untilMs) {
    await everywhere("ACL", "SETUSER", node.nodeId, "off");
    await everywhere("CLIENT", "KILL", "USER", node.nodeId);
    await pause(200);
  }
  await everywhere("ACL", "SETUSER", node.nodeId, "on");
}
