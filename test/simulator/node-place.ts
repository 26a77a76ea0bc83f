import type { ResolvedConfig } from "../../server/src/config/resolved-config.ts";
import type { Log } from "../../server/src/observe/log.ts";
import { clusterRevision } from "../../server/src/router/cluster/cluster.ts";
import { SimulatedProcess } from "../../server/src/testing/simulation/simulated-process.ts";
import type { Backbone, RunSurroundings } from "./backbone.ts";
import type { SimulatedLinks } from "./node-links.ts";
import type { NodeStep } from "./plan.ts";
import { nodeConfig } from "./run-config.ts";
import { SimulatedNode } from "./simulated-node.ts";

/** How long the balancer goes on sending clients to a node that is gone, at most, in milliseconds. */
const maxBlindMs = 1000;

/** After which a node that could not start is started again, in milliseconds. */
const restartMs = 1000;

/** The place of a node in a run: node after node runs in it. */
export class NodePlace {
  readonly nodeId: string;
  readonly #around: RunSurroundings;
  readonly #backbone: Backbone;
  readonly #number: number;
  #starts = 0;
  #process: SimulatedProcess | undefined;
  #node: SimulatedNode | undefined;
  #isStopped = false;
  #isClosed = false;

  constructor(around: RunSurroundings, backbone: Backbone, number: number) {
    this.#around = around;
    this.#backbone = backbone;
    this.#number = number;
    this.nodeId = `n${number}`;
  }

  /** The process that runs here. */
  get process(): SimulatedProcess | undefined {
    return this.#process;
  }

  get node(): SimulatedNode | undefined {
    return this.#node;
  }

  /** Its links with others; undefined: it is alone. */
  get links(): SimulatedLinks | undefined {
    return this.#node?.links;
  }

  /** A node runs here and accepts clients. */
  get isServing(): boolean {
    return this.#node?.isReady ?? false;
  }

  /** Timers that its process has set. */
  get timers(): number {
    return this.#process?.pendingTimers ?? 0;
  }

  /** Begins a node. It serves when it has what it needs. */
  start(): void {
    const { simulation, ledger, network, plan, trace } = this.#around;
    const name = `${this.nodeId}.${++this.#starts}`;
    const process = new SimulatedProcess({
      simulation,
      name,
      skewMs: simulation.random(`${name} clock`).between(-500, 500),
      onThrown: (reason) => ledger.fault(`${name} threw ${reason instanceof Error ? reason.stack : String(reason)}`),
    });
    this.#process = process;
    const log = traceLog(name, this.#around);
    const config = nodeConfig(plan, this.nodeId);
    const { revisions, nodes } = plan;
    const revision = revisions[(this.#number + this.#starts * nodes) % revisions.length] ?? clusterRevision;
    this.#open(process, config, log, revision).then(
      (node) => {
        if (process.isDead) return;
        this.#node = node;
        network.addNode(node);
        trace?.(`${name} serves${revision === clusterRevision ? "" : `, by revision ${revision}`}`);
      },
      (reason: unknown) => {
        if (process.isDead) return;
        trace?.(`${name} could not start: ${String(reason)}`);
        this.#kill(process, true);
        simulation.after(restartMs, () => this.#restart(process));
      },
    );
  }

  async #open(process: SimulatedProcess, config: ResolvedConfig, log: Log, revision: number): Promise<SimulatedNode> {
    const backend = await this.#backbone.open(process, config, log, revision);
    const node = new SimulatedNode({ process, config, log, backend });
    await node.open();
    return node;
  }

  carryOut(step: NodeStep): void {
    const process = this.#process;
    const { simulation } = this.#around;
    if (process === undefined || process.isDead) return;
    switch (step.do) {
      case "freeze-node":
        process.freeze();
        simulation.after(step.forMs, () => process.thaw());
        return;
      case "kill-node":
        this.#kill(process, step.isTold);
        simulation.after(step.downMs, () => this.#restart(process));
        return;
      case "drain-node":
        this.#drain(process, step.windowMs, step.deadlineMs);
    }
  }

  /** Ends whatever runs here, for good. */
  stop(): void {
    this.#isStopped = true;
    const node = this.#node;
    node?.process.run(() => {
      node.close().then(
        () => {
          this.#isClosed = true;
        },
        (reason: unknown) => this.#around.ledger.fault(`${node.name} could not close: ${String(reason)}`),
      );
    });
  }

  /** What is left of a node that was stopped, in sentences. */
  leftovers(): string[] {
    const { nodeId, timers } = this;
    if (!this.#isClosed) return [`${nodeId} does not close`];
    return timers === 0 ? [] : [`${nodeId} has closed, and ${timers} timers are left`];
  }

  #drain(process: SimulatedProcess, windowMs: number, deadlineMs: number): void {
    const node = this.#node;
    if (node === undefined || node.isOver) return;
    const { network, trace } = this.#around;
    network.removeNode(node);
    process.run(() => {
      node.drain(windowMs, deadlineMs).then(
        () => {
          trace?.(`${node.name} has gone`);
          this.#kill(process, true);
          this.#restart(process);
        },
        (reason: unknown) => this.#around.ledger.fault(`${node.name} could not drain: ${String(reason)}`),
      );
    });
  }

  #kill(process: SimulatedProcess, isTold: boolean): void {
    const { simulation, network } = this.#around;
    const node = this.#node;
    process.kill();
    network.processDied(process, isTold);
    this.#backbone.processDied(process);
    if (node === undefined) return;
    this.#node = undefined;
    simulation.after(simulation.random(`${node.name} missed`).between(0, maxBlindMs), () => network.removeNode(node));
  }

  #restart(process: SimulatedProcess): void {
    if (this.#process === process && !this.#isStopped) this.start();
  }
}

/** What a node says, in the trace of its run. What it calls an error is one. */
function traceLog(name: string, { trace, ledger }: RunSurroundings): Log {
  const lineOf = (message: string, fields?: object) =>
    `${name}: ${message}${fields === undefined ? "" : ` ${JSON.stringify(fields, jsonValue)}`}`;
  const log: Log = {
    enabled: (level) => level !== "debug",
    debug: () => {},
    info: (message, fields) => trace?.(lineOf(message, fields)),
    warn: (message, fields) => trace?.(lineOf(message, fields)),
    error: (message, fields) => ledger.fault(lineOf(message, fields)),
    child: () => log,
  };
  return log;
}

function jsonValue(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}` : value;
}
