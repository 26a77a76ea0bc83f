import type { ValkeyBroker } from "../../server/src/broker/valkey/open-valkey-broker.ts";
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
import { nodesLeftIn, routesLeftIn } from "./checks/valkey-leftovers.ts";
import { outputBufferFor, SimulatedLinks } from "./node-links.ts";
import { appId, isOfServers, type Setting, type ValkeyStep } from "./plan.ts";
import { openLinksOf, tamperingOf } from "./sabotage.ts";

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
  readonly #brokers: ValkeyBroker[] = [];

  constructor(around: RunSurroundings, setting: Exclude<Setting, "embedded">) {
    const { simulation, trace, plan, ledger, sabotage } = around;
    this.#around = around;
    this.#model = new ValkeyModel({
      ...sizes[setting],
      simulation,
      trace: trace ?? (() => {}),
      tampering: tamperingOf(sabotage, simulation.random("sabotage")),
      replicationDelayMs: plan.replicationDelayMs,
      outputBufferBytes: plan.outputBufferBytes,
      onThrown: (reason) => ledger.fault(`the model of Valkey threw ${(reason as Error).stack}`),
    });
  }

  get losses(): Losses {
    const nodesAreLost = this.#around.plan.steps.some(isOfServers);
    const logsAreLost = this.#model.hasLostData;
    const changesAreLost = logsAreLost || this.#brokers.some(({ counts }) => counts.lateReplicas > 0);
    return { logsAreLost, changesAreLost, nodesAreLost };
  }

  async open(
    process: SimulatedProcess,
    { valkey }: ResolvedConfig,
    log: Log,
    clusterRevision: number,
  ): Promise<NodeBackend> {
    if (valkey === undefined) throw new RangeError("the node is configured without Valkey");
    const { clock, randomBytes: random } = process;
    const { plan, sabotage } = this.#around;
    const links = new SimulatedLinks(process, log, { ...plan, maxRevision: clusterRevision });
    const connector = this.#model.connectorFor(process);
    const backend = await ValkeyBackend.open({ valkey, clock, log, connector, random });
    this.#brokers.push(backend.broker);
    return {
      stores: backend.stores,
      ...{ links, clusterRevision },
      cluster: { broker: backend.broker, openLinks: openLinksOf(sabotage, links, process) },
      giveUpAll: () => backend.giveUpAll(),
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
        for (const server of servers) model.paths.block(process, server, step.keeps);
        return later(step.forMs, () => {
          for (const server of servers) model.paths.unblock(process, server);
        });
      }
      case "lose-published":
        model.paths.publishedLoss = step.share;
        return later(step.forMs, () => {
          model.paths.publishedLoss = 0;
        });
      case "delay-published":
        model.paths.publishedDelayMs = step.delayMs;
        return later(step.forMs, () => {
          model.paths.publishedDelayMs = 0;
        });
    }
  }

  processDied(process: SimulatedProcess): void {
    this.#model.processDied(process);
  }

  leaks(): string[] {
    return routesLeftIn(this.#model);
  }

  leftovers(processes: readonly SimulatedProcess[]): string[] {
    const connected = processes.flatMap((process) => {
      const clients = this.#model.clientsOf(process);
      return clients === 0 ? [] : [`${process.name} has closed, and ${clients} clients of Valkey are open`];
    });
    return [...connected, ...routesLeftIn(this.#model), ...nodesLeftIn(this.#model)];
  }

  breaches(): string[] {
    const { linkBounds, outputBufferBytes } = this.#around.plan;
    const { cutOffs } = this.#model.paths;
    if (cutOffs === 0 || outputBufferBytes < outputBufferFor(linkBounds)) return [];
    return [
      `${cutOffs} subscribers were cut off, although links keep less than ${outputBufferBytes} bytes on the way to each`,
    ];
  }

  #serverOf(isPrimary: boolean, shard: number): ValkeyServer | undefined {
    const index = shard % this.#model.shardCount;
    return isPrimary ? this.#model.primary(index) : this.#model.replicasOf(index)[0];
  }
}
