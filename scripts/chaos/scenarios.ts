import { setTimeout as pause } from "node:timers/promises";
import {
  failOver,
  moveSlot,
  until,
  untilSettled,
  type ValkeyProcess,
  type ValkeyServers,
} from "../../server/src/testing/valkey-processes.ts";
import type { Crowd, CrowdOptions } from "./crowd.ts";
import type { FanfareNode } from "./fanfare-node.ts";
import type { FaultWindows } from "./fault-windows.ts";
import { reachHighestRate } from "./highest-rate.ts";

/** What a fault is done to. */
export interface Act {
  readonly valkey: ValkeyServers;
  readonly nodes: readonly FanfareNode[];
  readonly crowd: Crowd;
  /** Where it is noted when there is a fault. */
  readonly faults: FaultWindows;
  /** Says on standard error what is done. */
  readonly say: (text: string) => void;
  /** A short form: one of several faults. */
  readonly isShort: boolean;
}

/** What a scenario has measured besides. */
export interface Measured {
  /** Messages a second. */
  readonly highestRate?: number;
  /** By how much the memory of the node that grew most grew while there was the fault. */
  readonly memoryGrowthMib?: number;
}

/** What must hold afterwards. */
export interface Bounds {
  /** No live message lost, doubled or out of order, and no receiver told of a gap. */
  readonly liveIsWhole: boolean;
  /** Longest time from publishing to receiving of a live message, in milliseconds. */
  readonly longestStallMs?: number;
  /** Longest time from publishing to the answer of a durable message, or from when what had failed was served again, in milliseconds. */
  readonly longestAnswerAfterMs?: number;
  /** Longest time a client was without a connection, in milliseconds. */
  readonly longestOutageMs?: number;
  /** Of the node whose memory grew most. */
  readonly memoryGrowthMib?: number;
}

/** A fault, and what the clients may notice of it. */
export interface Scenario {
  readonly title: string;
  /** What Valkey is there. Default: a cluster. */
  readonly on?: "standalone";
  /** In what its crowd differs from that of the others. */
  readonly crowd?: (clients: number) => Partial<CrowdOptions>;
  readonly bounds: Bounds;
  run(act: Act): Promise<Measured | undefined>;
}

/** The primaries, as the cluster sees them. */
async function primaries(valkey: ValkeyServers): Promise<ValkeyProcess[]> {
  const found = new Set<ValkeyProcess>();
  for (let i = 0; i < 64; i++) found.add(await valkey.primaryOf(`{${i}}`));
  return [...found];
}

async function eachPrimary(
  act: Act,
  settleMs: number,
  fault: (primary: ValkeyProcess, i: number) => Promise<void>,
): Promise<undefined> {
  const all = await primaries(act.valkey);
  for (const [i, primary] of (act.isShort ? all.slice(0, 1) : all).entries()) {
    await act.faults.during(() => fault(primary, i + 1), settleMs);
    await untilSettled(act.valkey);
    await pause(settleMs);
  }
}

/** The bounds of a fault that nobody may notice. */
const unnoticed: Bounds = { liveIsWhole: true, longestStallMs: 500, longestAnswerAfterMs: 1_000 };

/** Notes when the replica of a primary has taken over. */
async function noteElection(
  { faults, say }: Act,
  former: ValkeyProcess,
  replica: ValkeyProcess | undefined,
): Promise<void> {
  const fromMs = performance.now();
  await until(async () => (await replica?.command("ROLE"))?.startsWith("master") === true);
  faults.mended();
  say(`port ${replica?.port} has taken over from ${former.port} after ${Math.round(performance.now() - fromMs)} ms`);
}

/** How long one Valkey may be away without a replica, until it answers again, in milliseconds: less than links hold what they could not send. */
const restartMs = 1_500;

/** What each message carries while a node stands still, in bytes. */
const slowPaddingBytes = 8_192;

export const scenarios: Readonly<Record<string, Scenario>> = {
  "kill-primary": {
    title: "kill -9 of a primary of Valkey, each shard in turn",
    bounds: unnoticed,
    run: (act) =>
      eachPrimary(act, 2_000, async (primary, i) => {
        act.say(`killing primary ${i}, port ${primary.port}`);
        const [replica] = await act.valkey.replicasOf(primary);
        await primary.kill();
        await Promise.all([noteElection(act, primary, replica), pause(8_000)]);
        await primary.restart();
      }),
  },
  failover: {
    title: "planned failover of each shard in turn",
    bounds: unnoticed,
    run: (act) =>
      eachPrimary(act, 2_000, async (primary, i) => {
        act.say(`failing over shard ${i}, from port ${primary.port}`);
        await failOver(act.valkey, primary);
        await pause(3_000);
      }),
  },
  "rolling-upgrade": {
    title: "restart of all six Valkey processes in turn, primaries after a planned failover",
    bounds: unnoticed,
    async run({ valkey, say, isShort, faults }) {
      for (const [i, process] of (isShort ? valkey.processes.slice(0, 2) : valkey.processes).entries()) {
        await faults.during(async () => {
          if ((await primaries(valkey)).includes(process)) {
            await failOver(valkey, process);
            await pause(2_000);
          }
          say(`restarting process ${i + 1}, port ${process.port}`);
          await process.kill();
          await process.restart();
          await untilSettled(valkey);
        });
        await pause(1_500);
      }
      return undefined;
    },
  },
  "migrate-slots": {
    title: "slots with routes, logs and lanes move to another shard under load",
    bounds: unnoticed,
    async run({ valkey, say, isShort, faults }) {
      const names = ["game/g:live:0", "game/g:log:0", "game/g:live:1", "game/g:log:1", "game/b"];
      for (const name of isShort ? names.slice(0, 2) : names) {
        const from = await valkey.primaryOf(`{${name}}`);
        const to = (await primaries(valkey)).find((one) => one !== from);
        if (to === undefined) throw new Error("there is one primary only");
        say(`moving the slot of ${name} from port ${from.port} to ${to.port}`);
        await faults.during(() => moveSlot(valkey, `{${name}}`, from, to), 1_000);
        await pause(1_000);
      }
      return undefined;
    },
  },
  "freeze-primary": {
    title: "a primary of Valkey stands still for 5 s (SIGSTOP) and wakes up",
    bounds: { liveIsWhole: false },
    run: (act) =>
      eachPrimary(act, 2_000, async (primary, i) => {
        act.say(`freezing primary ${i}, port ${primary.port}`);
        const [replica] = await act.valkey.replicasOf(primary);
        primary.pause();
        await Promise.all([noteElection(act, primary, replica), pause(5_000)]);
        primary.resume();
        await pause(4_000);
      }),
  },
  partition: {
    title: "a Fanfare node is cut off from Valkey for 10 s, and keeps its clients",
    bounds: { liveIsWhole: false },
    async run({ valkey, nodes, say, faults }) {
      const node = nodes[0] as FanfareNode;
      say(
        `cutting node ${node.nodeId} off from Valkey: its user is switched off and its connections are closed, again and again.`,
      );
      say(
        "The cut is seen at once, as with a firewall that rejects; freeze-primary is the one that only silence tells of.",
      );
      const everywhere = (...command: string[]) =>
        Promise.all(valkey.processes.map((process) => process.command(...command).catch(() => "")));
      await faults.during(async () => {
        const untilMs = performance.now() + 10_000;
        while (performance.now() < untilMs) {
          await everywhere("ACL", "SETUSER", node.nodeId, "off");
          await everywhere("CLIENT", "KILL", "USER", node.nodeId);
          await pause(200);
        }
        await everywhere("ACL", "SETUSER", node.nodeId, "on");
      }, 5_000);
      say(`node ${node.nodeId} may connect again`);
      await pause(15_000);
      return undefined;
    },
  },
  "kill-node": {
    title: "kill -9 of a Fanfare node, which is started again after 10 s",
    bounds: { liveIsWhole: false, longestOutageMs: 5_000 },
    async run({ nodes, say, isShort, faults }) {
      for (const node of isShort ? nodes.slice(0, 1) : nodes) {
        say(`killing node ${node.nodeId}`);
        await faults.during(async () => {
          await node.kill();
          await pause(10_000);
          await node.start();
        });
        await pause(3_000);
      }
      return undefined;
    },
  },
  "drain-node": {
    title: "rolling deploy: every Fanfare node is drained and started again",
    bounds: { liveIsWhole: true, longestOutageMs: 0 },
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
  "slow-subscriber": {
    title: "a Fanfare node stands still for 20 s (SIGSTOP) at the highest rate that the clients reach",
    // Few receivers of each message, so that as much as possible goes from node to node and as little as possible to clients of the same process.
    crowd: (clients) => ({
      groups: Math.ceil(clients / 2),
      durableGroups: Math.ceil(clients / 3),
      broadcastEvery: 500,
      rate: 300,
      paddingBytes: slowPaddingBytes,
    }),
    bounds: { liveIsWhole: false, memoryGrowthMib: 96 },
    async run({ nodes, say, isShort, crowd, faults }) {
      const highestRate = await reachHighestRate(crowd, say);
      say(`the highest rate that was reached is ${highestRate} messages a second`);
      // What a node needs at this rate without a fault is not the fault's.
      for (const one of nodes) one.resetPeakMemory();
      await pause(5_000);
      const before = nodes.map((one) => one.peakMemoryMib());
      for (const one of nodes) one.resetPeakMemory();
      const node = nodes[0] as FanfareNode;
      say(`stopping node ${node.nodeId}`);
      const from = crowd.sent.length;
      await faults.during(async () => {
        node.pause();
        await pause(isShort ? 8_000 : 20_000);
        node.resume();
      }, 5_000);
      const saidMib = ((crowd.sent.length - from) * slowPaddingBytes) / 2 ** 20;
      await pause(5_000);
      const after = nodes.map((one) => one.peakMemoryMib());
      const growth = after.map((mib, i) => mib - (before[i] as number));
      say(`${saidMib.toFixed(0)} MiB were said meanwhile; peak memory of the nodes: ${after.join(", ")} MiB`);
      return { highestRate, memoryGrowthMib: Math.max(...growth) };
    },
  },
  "restart-standalone": {
    title: "the only Valkey, without a replica, is killed (kill -9) and started again, twice",
    on: "standalone",
    bounds: { liveIsWhole: true, longestStallMs: restartMs + 1_500, longestAnswerAfterMs: 1_000 },
    async run({ valkey, say, isShort, faults }) {
      const [process] = valkey.processes as [ValkeyProcess];
      for (let i = 0; i < (isShort ? 1 : 2); i++) {
        await faults.during(async () => {
          const fromMs = performance.now();
          await process.kill();
          await pause(restartMs - 500);
          await process.restart();
          faults.mended();
          say(`Valkey was away for ${Math.round(performance.now() - fromMs)} ms`);
        }, 2_000);
        await pause(4_000);
      }
      return undefined;
    },
  },
};
