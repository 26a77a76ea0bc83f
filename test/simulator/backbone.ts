import type { ResolvedConfig } from "../../server/src/config/resolved-config.ts";
import type { NodeOptions } from "../../server/src/node.ts";
import type { Log } from "../../server/src/observe/log.ts";
import type { SimulatedProcess } from "../../server/src/testing/simulation/simulated-process.ts";
import type { Simulation } from "../../server/src/testing/simulation/simulation.ts";
import type { Losses } from "./checks/guarantees.ts";
import type { Ledger, Trace } from "./ledger.ts";
import type { Network } from "./network.ts";
import type { SimulatedLinks } from "./node-links.ts";
import type { Plan, ValkeyStep } from "./plan.ts";
import type { Sabotage } from "./sabotage.ts";

/** What all parts of a run share. */
export interface RunSurroundings {
  readonly simulation: Simulation;
  readonly network: Network;
  readonly ledger: Ledger;
  readonly plan: Plan;
  readonly sabotage: Sabotage | undefined;
  readonly trace: Trace;
}

/** What a node has behind it, closed with it. */
export type NodeBackend = Pick<NodeOptions, "stores" | "cluster" | "clusterRevision"> &
  AsyncDisposable & {
    readonly links: SimulatedLinks;
    /** What waits to be written is not written any more. */
    giveUpAll(): void;
  };

/** What stands behind the nodes of a run. */
export interface Backbone {
  /** What happened to it that excuses a loss. */
  readonly losses: Losses;
  /** Undefined: a node keeps everything in its memory. @throws if it cannot be reached */
  open(process: SimulatedProcess, config: ResolvedConfig, log: Log, revision: number): Promise<NodeBackend | undefined>;
  /** @param processOf the process of a node, by its number */
  carryOut(step: ValkeyStep, processOf: (node: number) => SimulatedProcess | undefined): void;
  /** A node's process is dead, and its connections with it. */
  processDied(process: SimulatedProcess): void;
  /** What is left there of clients, while nodes run: in sentences. */
  leaks(): string[];
  /** What is left there of nodes that have all gone in order, and of the processes in which they ran. */
  leftovers(processes: readonly SimulatedProcess[]): string[];
  /** What it did that nodes had to prevent, in sentences. */
  breaches(): string[];
}

/** Nothing: nodes keep everything in memory. */
export class EmbeddedBackbone implements Backbone {
  readonly losses = { logsAreLost: false, changesAreLost: false, nodesAreLost: false };

  open(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  carryOut(): void {}

  processDied(): void {
    this.losses.logsAreLost = true;
    this.losses.changesAreLost = true;
    this.losses.nodesAreLost = true;
  }

  leaks(): string[] {
    return [];
  }

  leftovers(): string[] {
    return [];
  }

  breaches(): string[] {
    return [];
  }
}
