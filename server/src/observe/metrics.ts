import { Gauge, Registry } from "prom-client";
import { type Clock, systemClock } from "../clock.ts";
import { brokerMetrics, type ClusterFigures, clusterMetrics, type ValkeyFigures } from "./cluster-metrics.ts";
import type { Counters } from "./counters.ts";
import type { LinkCounters } from "./link-counters.ts";
import { linkMetrics } from "./link-metrics.ts";
import { registerRows } from "./metric-row.ts";
import { nodeMetrics } from "./node-metrics.ts";
import { processMetrics } from "./process-metrics.ts";

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
  /** Default: the machine's own. */
  clock?: Pick<Clock, "monotonicMs">;
  /** How long one text is given to whoever asks, in milliseconds. Default: 1,000. */
  sharedMs?: number;
}

/**
 * Serves what {@link Counters} holds in Prometheus' text format. Numbers are read at the scrape and at no other time, and at most once in a while: anybody may scrape,
 * and a text takes about a millisecond in which nobody else is served.
 */
export class Metrics implements Disposable {
  readonly #registry = new Registry();
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #sharedMs: number;
  #shared: { readonly text: Promise<string>; readonly fromMs: number } | undefined;

  constructor(options: MetricsOptions) {
    const { counters, version, nodeId, cluster, links, broker, clock = systemClock, sharedMs = 1_000 } = options;
    const registers = [this.#registry];
    this.#clock = clock;
    this.#sharedMs = sharedMs;
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
  }

  /** The media type of {@link render}'s text. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All metrics as text, those of the process among them. */
  render(): Promise<string> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#shared === undefined || nowMs - this.#shared.fromMs >= this.#sharedMs) {
      this.#shared = { text: this.#text(), fromMs: nowMs };
    }
    return this.#shared.text;
  }

  async #text(): Promise<string> {
    const texts = await Promise.all([processMetrics().metrics(), this.#registry.metrics()]);
    return texts.join("\n");
  }

  /** Lets go of what the numbers are read off. */
  [Symbol.dispose](): void {
    this.#registry.clear();
  }
}
