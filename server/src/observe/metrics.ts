import { monitorEventLoopDelay } from "node:perf_hooks";
import { CloseCode, ErrorCode, Outcome } from "@fanfare/proto/v1";
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { Counters } from "./counters.ts";

/** What a {@link Metrics} needs. */
export interface MetricsOptions {
  counters: Counters;
  /** Of the server, for `fanfare_build_info`. */
  version: string;
  nodeId: string;
}

type NumberOf<T> = { [K in keyof T]: T[K] extends number ? K : never }[keyof T];

/** How often the delay of the event loop is sampled, in milliseconds. */
const RESOLUTION_MS = 10;

/** Serves what {@link Counters} holds in Prometheus' text format. Numbers are read at the scrape and at no other time. */
export class Metrics implements Disposable {
  readonly #registry = new Registry();
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor({ counters, version, nodeId }: MetricsOptions) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    new Gauge({
      name: "fanfare_build_info",
      help: "Always 1; the labels say what runs.",
      labelNames: ["version", "node"],
      registers,
    }).set({ version, node: nodeId }, 1);
    for (const [name, help, field] of gauges) {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(counters[field]);
        },
      });
    }
    for (const { name, help, label, read } of totals) {
      const labelNames = label === undefined ? [] : [label];
      new Counter({
        name,
        help,
        labelNames,
        registers,
        collect() {
          this.reset(); // a counter of this library can only be added to
          for (const [value, count] of read(counters)) this.inc(label === undefined ? {} : { [label]: value }, count);
        },
      });
    }
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

const gauges: readonly [name: string, help: string, field: NumberOf<Counters>][] = [
  ["fanfare_connections", "Open WebSockets.", "connections"],
  ["fanfare_unauthenticated_connections", "Open WebSockets that have not said hello.", "unauthenticated"],
  ["fanfare_sessions", "Sessions, connected or within their resume window.", "sessions"],
  ["fanfare_detached_sessions", "Sessions without a connection.", "sessionsDetached"],
  ["fanfare_subscriptions", "Subscriptions of sessions.", "subscriptions"],
  ["fanfare_send_queue_bytes", "Bytes in all send queues.", "sendQueueBytes"],
];

interface Total {
  name: string;
  help: string;
  label?: string;
  /** Values of the label, each with its count. */
  read(counters: Counters): Iterable<readonly [string, number]>;
}

function total(name: string, help: string, field: NumberOf<Counters>): Total {
  return { name, help, read: (counters) => [["", counters[field]]] };
}

const totals: readonly Total[] = [
  total("fanfare_frame_messages_received_total", "WebSocket messages from clients.", "framesInMessages"),
  total("fanfare_frames_received_total", "Frames from clients.", "framesIn"),
  total("fanfare_received_bytes_total", "Bytes of WebSocket messages from clients.", "bytesIn"),
  total("fanfare_sent_bytes_total", "Bytes written to clients.", "bytesOut"),
  total("fanfare_writes_total", "Writes to clients' sockets.", "writes"),
  total("fanfare_frames_ignored_total", "Frames of an unknown kind and without an id.", "framesIgnored"),
  {
    name: "fanfare_messages_received_total",
    help: "Publishes accepted, by class.",
    label: "class",
    read: (counters) => [
      ["volatile", counters.messagesInVolatile],
      ["live", counters.messagesInLive],
      ["durable", counters.messagesInDurable],
    ],
  },
  total("fanfare_messages_repeated_total", "Publishes recognised as repeats.", "messagesRepeated"),
  total("fanfare_messages_delivered_total", "Messages put into send queues.", "messagesDelivered"),
  {
    name: "fanfare_messages_dropped_total",
    help: "Messages that were not sent on, by reason.",
    label: "reason",
    read: (counters) => [
      ["slow", counters.messagesDropped],
      ["conflated", counters.messagesConflated],
      ["expired", counters.messagesExpired],
    ],
  },
  {
    name: "fanfare_publishes_total",
    help: "Results of publishes, by outcome.",
    label: "outcome",
    read: (counters) => labelled(counters.publishesByOutcome, Outcome),
  },
  {
    name: "fanfare_errors_total",
    help: "Errors told to clients, by code.",
    label: "code",
    read: (counters) => labelled(counters.errorsByCode, ErrorCode),
  },
  total("fanfare_upgrades_total", "WebSocket upgrades accepted.", "upgrades"),
  {
    name: "fanfare_handshakes_total",
    help: "Handshakes, by outcome.",
    label: "outcome",
    read: (counters) => [
      ["new", counters.handshakesNew],
      ["resumed", counters.handshakesResumed],
      ["handed_over", counters.handshakesHandedOver],
      ["refused", counters.handshakesRefused],
    ],
  },
  {
    name: "fanfare_closes_total",
    help: "Connections that ended, by close code.",
    label: "code",
    *read(counters) {
      for (const [code, count] of counters.closesByCode)
        yield [code === 0 ? "other" : closeLabel(code), count] as const;
    },
  },
];

function closeLabel(code: number): string {
  const name = CloseCode[code];
  return name === undefined ? String(code) : `${code}_${name.toLowerCase()}`;
}

/** Counts by enum value; the values that the enum does not have are left out. */
function* labelled(counts: readonly number[], names: Record<number, string>): Iterable<readonly [string, number]> {
  for (const [value, count] of counts.entries()) {
    const name = names[value];
    if (name !== undefined && value !== 0) yield [name.toLowerCase(), count];
  }
}
