import { setTimeout as pause } from "node:timers/promises";
import {
  moveSlot,
  untilSettled,
  type ValkeyProcess,
  type ValkeyServers,
} from "../../server/src/testing/valkey-processes.ts";
import type { FanfareNode } from "./fanfare-node.ts";

/** What a fault is done to. */
export interface Stage {
  readonly valkey: ValkeyServers;
  readonly nodes: readonly FanfareNode[];
  /** Says on standard error what is done. */
  readonly say: (text: string) => void;
  /** A short form: one of several faults. */
  readonly isShort: boolean;
}

/** What must hold afterwards. */
export interface Bounds {
  /** No live message lost, doubled or out of order, and no receiver told of a gap. */
  readonly liveIsWhole: boolean;
  /** Longest time from publishing to receiving of a live message, in milliseconds. */
  readonly longestStallMs?: number;
  /** Longest time from publishing to the answer of a durable message, in milliseconds. */
  readonly longestAnswerMs?: number;
  /** Longest time a client was without a connection, in milliseconds. */
  readonly longestOutageMs?: number;
}

/** A fault, and what the clients may notice of it. */
export interface Scenario {
  readonly title: string;
  readonly bounds: Bounds;
  run(stage: Stage): Promise<void>;
}

/** The primaries, as the cluster sees them. */
async function primaries(valkey: ValkeyServers): Promise<ValkeyProcess[]> {
  const found = new Set<ValkeyProcess>();
  for (let i = 0; i < 64; i++) found.add(await valkey.primaryOf(`{${i}}`));
  return [...found];
}

async function eachPrimary(stage: Stage, fault: (primary: ValkeyProcess, i: number) => Promise<void>): Promise<void> {
  const all = await primaries(stage.valkey);
  for (const [i, primary] of (stage.isShort ? all.slice(0, 1) : all).entries()) {
    await fault(primary, i + 1);
    await untilSettled(stage.valkey);
    await pause(2_000);
  }
}

/** The bounds of a fault that nobody may notice. An election takes about 3.7 s at a node timeout of 2 s. */
const unnoticed: Bounds = { liveIsWhole: true, longestStallMs: 500, longestAnswerMs: 6_500 };

export const scenarios: Readonly<Record<string, Scenario>> = {
  "kill-primary": {
    title: "kill -9 of a primary of Valkey, each shard in turn",
    bounds: unnoticed,
    run: (stage) =>
      eachPrimary(stage, async (primary, i) => {
        stage.say(`killing primary ${i}, port ${primary.port}`);
        await primary.kill();
        await pause(8_000);
        await primary.restart();
      }),
  },
  failover: {
    title: "planned failover of each shard in turn",
    bounds: unnoticed,
    run: (stage) =>
      eachPrimary(stage, async (primary, i) => {
        const [replica] = await stage.valkey.replicasOf(primary);
        stage.say(`failing over shard ${i}, to port ${replica?.port}`);
        await replica?.command("CLUSTER", "FAILOVER");
        await pause(3_000);
      }),
  },
  "rolling-upgrade": {
    title: "restart of all six Valkey processes in turn, primaries after a planned failover",
    bounds: unnoticed,
    async run({ valkey, say, isShort }) {
      for (const [i, process] of (isShort ? valkey.processes.slice(0, 2) : valkey.processes).entries()) {
        const replicas = (await primaries(valkey)).includes(process) ? await valkey.replicasOf(process) : [];
        await replicas[0]?.command("CLUSTER", "FAILOVER");
        if (replicas.length > 0) await pause(2_000);
        say(`restarting process ${i + 1}, port ${process.port}`);
        await process.kill();
        await process.restart();
        await untilSettled(valkey);
        await pause(1_500);
      }
    },
  },
  "migrate-slots": {
    title: "slots with routes, logs and lanes move to another shard under load",
    bounds: unnoticed,
    async run({ valkey, say, isShort }) {
      const names = ["game/g:live:0", "game/g:log:0", "game/g:live:1", "game/g:log:1", "game/b"];
      for (const name of isShort ? names.slice(0, 2) : names) {
        const from = await valkey.primaryOf(`{${name}}`);
        const to = (await primaries(valkey)).find((one) => one !== from);
        if (to === undefined) throw new Error("there is one primary only");
        say(`moving the slot of ${name} from port ${from.port} to ${to.port}`);
        await moveSlot(valkey, `{${name}}`, from, to);
        await pause(1_000);
      }
    },
  },
  "freeze-primary": {
    title: "a primary of Valkey stands still for 5 s and wakes up",
    bounds: { liveIsWhole: false },
    run: (stage) =>
      eachPrimary(stage, async (primary, i) => {
        stage.say(`freezing primary ${i}, port ${primary.port}`);
        primary.pause();
        await pause(5_000);
        primary.resume();
        await pause(4_000);
      }),
  },
  partition: {
    title:
      "a Fanfare node is cut off from Valkey for 10 s: its user is switched off and its connections are closed, again and again",
    bounds: { liveIsWhole: false },
    async run({ valkey, nodes, say }) {
      const [node] = nodes;
      if (node === undefined) throw new Error("there is no node");
      say(`cutting off node ${node.nodeId}`);
      const everywhere = (...command: string[]) =>
        Promise.all(valkey.processes.map((process) => process.command(...command).catch(() => "")));
      const untilMs = performance.now() + 10_000;
      while (performance.now() < untilMs) {
        await everywhere("ACL", "SETUSER", node.nodeId, "off");
        await everywhere("CLIENT", "KILL", "USER", node.nodeId);
        await pause(200);
      }
      await everywhere("ACL", "SETUSER", node.nodeId, "on");
      say(`node ${node.nodeId} may connect again`);
      await pause(15_000);
    },
  },
  "kill-node": {
    title: "kill -9 of a Fanfare node, which is started again after 10 s",
    bounds: { liveIsWhole: false, longestOutageMs: 5_000 },
    async run({ nodes, say, isShort }) {
      for (const node of isShort ? nodes.slice(0, 1) : nodes) {
        say(`killing node ${node.nodeId}`);
        await node.kill();
        await pause(10_000);
        await node.start();
        await pause(3_000);
      }
    },
  },
  "drain-node": {
    title: "rolling deploy: every Fanfare node is drained and started again",
    bounds: { liveIsWhole: true, longestOutageMs: 0 },
    async run({ nodes, say, isShort }) {
      for (const node of isShort ? nodes.slice(0, 1) : nodes) {
        say(`draining node ${node.nodeId}`);
        await node.drain();
        await node.start();
        await pause(2_000);
      }
    },
  },
  "slow-subscriber": {
    title: "a Fanfare node stands still for 20 s under load",
    bounds: { liveIsWhole: false },
    async run({ nodes, say, isShort }) {
      const [node] = nodes;
      say(`stopping node ${node?.nodeId}`);
      node?.pause();
      await pause(isShort ? 8_000 : 20_000);
      node?.resume();
      await pause(5_000);
    },
  },
};
