import type { ResolvedConfig } from "../../server/src/config/resolved-config.ts";
import type { DurableStores } from "../../server/src/log/durable-stores.ts";
import type { Log } from "../../server/src/observe/log.ts";
import type { SimulatedProcess } from "../../server/src/testing/simulation/simulated-process.ts";
import type { Simulation } from "../../server/src/testing/simulation/simulation.ts";
import type { Losses } from "./checks/guarantees.ts";
import type { Ledger } from "./ledger.ts";
import type { Network } from "./network.ts";
import type { Plan } from "./plan.ts";

/** What all parts of a run share. */
export interface RunSurroundings {
  readonly simulation: Simulation;
  readonly network: Network;
  readonly ledger: Ledger;
  readonly plan: Plan;
  readonly trace: (line: string) => void;
}

/** What stands behind the nodes of a run. */
export interface Backbone {
  /** What happened to it that excuses a loss. */
  readonly losses: Losses;
  /** Opens what a node keeps there; undefined: it keeps everything in its memory. */
  open(
    process: SimulatedProcess,
    config: ResolvedConfig,
    log: Log,
  ): Promise<(DurableStores & AsyncDisposable) | undefined>;
  /** A node's process is dead, and its connections with it. */
  processDied(process: SimulatedProcess): void;
  /** What is left there of clients, in sentences. */
  leaks(): string[];
}

/** Nothing: nodes keep everything in memory. */
class EmbeddedBackbone implements Backbone {
  readonly losses = { logsAreLost: false };

  open(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  processDied(): void {
    this.losses.logsAreLost = true;
  }

  leaks(): string[] {
    return [];
  }
}

/** What the plan wants behind its nodes. */
export function openBackbone({ plan }: RunSurroundings): Backbone {
  if (plan.setting === "embedded") return new EmbeddedBackbone();
  throw new RangeError(`there is no model of ${plan.setting} yet`);
}
