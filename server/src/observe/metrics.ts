import { monitorEventLoopDelay } from "node:perf_hooks";
import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { brokerMetrics, type ClusterFigures, clusterMetrics, type ValkeyFigures } from "./cluster-metrics.ts";
import type { Counters } from "./counters.ts";
import type { LinkCounters } from "./link-counters.ts";
import { linkMetrics } from "./link-metrics.ts";
import { registerRows } from "./metric-row.ts";
import { nodeMetrics } from "./node-metrics.ts";

/** What a {@link Metrics} needs. */
export interface MetricsOptions {
  counters: Counters;
  /** Of the server, for `fanfare_build_info`. */
  version: string;
  nodeId: string;
  /** What the node knows of its cluster; undefined: it is alone. */
  cluster?: () => ClusterFigures;
  /** Of its links to other nodes; undefined: it has none. */
  links?: LinkCounters;
  /** Of what connects it with others; undefined: it counts nothing. */
  broker?: () => ValkeyFigures;
}

/** How often the delay of the event loop is sampled, in milliseconds. */
const RESOLUTION_MS = 10;

/** Serves what {@link Counters} holds in Prometheus' text format. Numbers are read at the scrape and at no other time. */
export class Metrics implements Disposable {
  readonly #registry = new Registry();
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor({ counters, version, nodeId, cluster, links, broker }: MetricsOptions) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    new Gauge({
      name: "fanfare_build_info",
      help: "Always 1; the labels say what runs.",
      labelNames: ["version", "node"],
      registers,
    }).set({ version, node: nodeId }, 1);
    registerRows(this.#registry, nodeMetrics, () => counters);
    if (cluster !== undefined) registerRows(this.#registry, clusterMetrics, cluster);
    if (links !== undefined) registerRows(this.#registry, linkMetrics, () => links);
    if (broker !== undefined) registerRows(this.#registry, brokerMetrics, broker);
    this.#addEventLoopDelay(registers);
  }

  /** The media type of {@link render}'s text. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All metrics as text. */
  render(): Promise<string> {
    return this.#registry.metrics();
  }

  /** Stops sampling the event loop. */
  [Symbol.dispose](): void {
    this.#delay.disable();
    this.#registry.clear();
  }

  #addEventLoopDelay(registers: Registry[]): void {
    const delay = this.#delay;
    delay.enable();
    new Gauge({
      name: "fanfare_event_loop_delay_seconds",
      help: "How late timers ran since the last scrape.",
      labelNames: ["quantile"],
      registers,
      collect() {
        const beyond = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1e3);
        for (const quantile of [0.5, 0.99]) this.set({ quantile }, beyond(delay.percentile(quantile * 100)));
        this.set({ quantile: 1 }, beyond(delay.max));
        delay.reset();
      },
    });
  }
}
