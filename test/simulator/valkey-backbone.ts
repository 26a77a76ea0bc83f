import type { ResolvedConfig } from "../../server/src/config/resolved-config.ts";
import { logKeys } from "../../server/src/log/valkey/log-keys.ts";
import type { Log } from "../../server/src/observe/log.ts";
import type { SimulatedProcess } from "../../server/src/testing/simulation/simulated-process.ts";
import { slotOfKey } from "../../server/src/testing/valkey-model/slots.ts";
import { ValkeyModel } from "../../server/src/testing/valkey-model/valkey-model.ts";
import type { ValkeyServer } from "../../server/src/testing/valkey-model/valkey-server.ts";
import { ValkeyBackend } from "../../server/src/valkey-backend.ts";
import type { Backbone, NodeBackend, RunSurroundings } from "./backbone.ts";
import type { Losses } from "./checks/guarantees.ts";
import type { Setting, ValkeyStep } from "./plan.ts";
import { linksOf, tamperingOf } from "./sabotage.ts";
import { appId } from "./simulated-player.ts";

/** Shards and replicas of each, by setting. */
const sizes: Readonly<Record<Exclude<Setting, "embedded">, { shards: number; replicas: number }>> = {
  valkey: { shards: 0, replicas: 0 },
  "valkey-with-replica": { shards: 0, replicas: 1 },
  "valkey-cluster": { shards: 3, replicas: 1 },
};

/** A model of Valkey. */
export class ValkeyBackbone implements Backbone {
  readonly #model: ValkeyModel;
  readonly #around: RunSurroundings;

  constructor(around: RunSurroundings, setting: Exclude<Setting, "embedded">) {
    const { simulation, trace, plan, ledger, sabotage } = around;
    this.#around = around;
    this.#model = new ValkeyModel({
      ...sizes[setting],
      simulation,
      trace: trace ?? (() => {}),
      tampering: tamperingOf(sabotage, simulation.random("sabotage")),
      replicationDelayMs: plan.replicationDelayMs,
      onThrown: (reason) => ledger.fault(`the model of Valkey threw ${(reason as Error).stack}`),
    });
  }

  get losses(): Losses {
    const nodesAreLost = this.#around.plan.steps.some((step) => !("player" in step));
    return { logsAreLost: this.#model.hasLostData, nodesAreLost };
  }

  async open(process: SimulatedProcess, { valkey }: ResolvedConfig, log: Log): Promise<NodeBackend> {
    if (valkey === undefined) throw new RangeError("the node is configured without Valkey");
    const { clock, randomBytes: random } = process;
    const connector = this.#model.connectorFor(process);
    const backend = await ValkeyBackend.open({ valkey, clock, log, connector, random });
    return {
      stores: backend.stores,
      cluster: { broker: backend.broker, ...linksOf(this.#around.sabotage, process, log) },
      [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
    };
  }

  carryOut(step: ValkeyStep, processOf: (node: number) => SimulatedProcess | undefined): void {
    const model = this.#model;
    const later = (forMs: number, action: () => void): void => void this.#around.simulation.after(forMs, action);
    switch (step.do) {
      case "kill-primary":
      case "kill-replica": {
        const server = this.#serverOf(step.do === "kill-primary", step.shard);
        if (server === undefined || server.process.isDead) return;
        model.kill(server);
        return later(step.downMs, () => model.restart(server, step.keepsData));
      }
      case "freeze-primary":
      case "freeze-replica": {
        const server = this.#serverOf(step.do === "freeze-primary", step.shard);
        if (server === undefined) return;
        model.freeze(server);
        return later(step.forMs, () => model.thaw(server));
      }
      case "isolate-primary": {
        const server = model.primary(step.shard % model.shardCount);
        model.setIsolated(server, true);
        return later(step.forMs, () => model.setIsolated(model.server(server.id), false));
      }
      case "fail-over":
        return model.failOver(step.shard % model.shardCount);
      case "migrate": {
        const { stream } = logKeys("fanfare", { appId, key: `g:${step.group}` });
        return model.migrate(slotOfKey(stream), step.shard % model.shardCount, step.forMs);
      }
      case "partition": {
        const process = processOf(step.node);
        if (process === undefined) return;
        const all = [...model.servers.values()];
        const servers = step.shard < 0 ? all : [model.primary(step.shard % model.shardCount)];
        for (const server of servers) model.setBlocked(process, server, true);
        return later(step.forMs, () => {
          for (const server of servers) model.setBlocked(process, server, false);
        });
      }
      case "lose-published":
        model.publishedLoss = step.share;
        return later(step.forMs, () => {
          model.publishedLoss = 0;
        });
    }
  }

  processDied(process: SimulatedProcess): void {
    this.#model.processDied(process);
  }

  leaks(): string[] {
    return [];
  }

  #serverOf(isPrimary: boolean, shard: number): ValkeyServer | undefined {
    const index = shard % this.#model.shardCount;
    return isPrimary ? this.#model.primary(index) : this.#model.replicasOf(index)[0];
  }
}
