import type { ValkeyServers } from "../../server/src/testing/valkey-processes.ts";
import type { Crowd, CrowdOptions } from "./crowd.ts";
import type { CuttableWay } from "./cuttable-way.ts";
import type { FanfareNode } from "./fanfare-node.ts";
import type { FaultWindows } from "./fault-windows.ts";

/** What a fault is done to. */
export interface Act {
  readonly valkey: ValkeyServers;
  readonly nodes: readonly FanfareNode[];
  /** The first node's way to Valkey, where the scenario is on one that can be cut. */
  readonly way: CuttableWay | undefined;
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
  /** The most that waited on a node to be sent to others while there was the fault. */
  readonly linkWaitingMib?: number;
  /** By how much the memory that a node had resident has grown meanwhile, at its peak, of the node where it grew most. */
  readonly residentGrowthMib?: number;
  /** What one of the others had to send to the node that stood still, before it was given up: of the one that had least. */
  readonly saidToStalledMib?: number;
}

/** What must hold afterwards, besides what always must: see `brokenBounds`. */
export interface Bounds {
  /** No live message failed or unknown, and no receiver told of a gap. */
  readonly liveIsWhole: boolean;
  /** The same of live messages between sessions at nodes that nothing is done to. Default: nothing is done to a node. */
  readonly elsewhereIsWhole?: boolean;
  /** Gaps that receivers of durable channels may be told of. Default: 0, the log has all of it. */
  readonly durableGaps?: number;
  /** Share of the durable messages whose senders may be told that they failed or are unknown. Default: 0, each is stored. */
  readonly durableFailShare?: number;
  /** Longest time from publishing to receiving of a live message, in milliseconds. */
  readonly longestStallMs?: number;
  /** Longest time from publishing to the answer of a durable message, or from when what had failed was served again, in milliseconds. */
  readonly longestAnswerAfterMs?: number;
  /** Longest time from publishing to receiving of a durable message, or from when what had failed was served again, in milliseconds. */
  readonly longestArrivalAfterMs: number;
  /** Longest time a client was without a connection, in milliseconds. 0: everybody stays connected. */
  readonly longestOutageMs?: number;
  /** Newcomers who could not connect within 30 s, or not join within 15 s. */
  readonly failedConnects?: number;
  /** What one had to send to a node that stands still must have been several times as much. */
  readonly linkWaitingMib?: number;
  readonly residentGrowthMib?: number;
}

/** What the nodes run on: three primaries with a replica each, the same with a way to it that can be cut for the first node, or one Valkey alone. */
export type Ground = "cluster" | "cuttable" | "standalone";

/** A fault, and what the clients may notice of it. */
export interface Scenario {
  readonly title: string;
  /** Default: a cluster. */
  readonly on?: Ground;
  /** In what its crowd differs from that of the others. */
  readonly crowd?: (clients: number) => Partial<CrowdOptions>;
  readonly bounds: Bounds;
  run(act: Act): Promise<Measured | undefined>;
}
