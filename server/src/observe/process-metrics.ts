import { statSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { collectDefaultMetrics, Gauge, Registry } from "prom-client";

/** These list every handle, request, resource and file: tens of milliseconds, in which nobody is served, where there are thousands of sockets. */
const listings = /^(nodejs_active_(handles|requests|resources)(_total)?|process_open_fds)$/;

/** Linux says from 6.2 on how many files a process has open without listing them; others say 0. */
const openFiles = "/proc/self/fd";

/** How often the delay of the event loop is sampled, in milliseconds. */
const resolutionMs = 10;

let registry: Registry | undefined;

/**
 * The process's own numbers. One for the whole process, made when it is first asked for: what measures garbage collection and the event loop for the library can
 * never be ended, histograms of the event loop take 300 KB each that nothing gives back in time, and a node that cannot join its cluster is made anew every few
 * seconds.
 */
export function processMetrics(): Registry {
  registry ??= newRegistry();
  return registry;
}

function newRegistry(): Registry {
  const made = new Registry();
  collectDefaultMetrics({ register: made });
  for (const { name } of made.getMetricsAsArray()) if (listings.test(name)) made.removeSingleMetric(name);
  if (openFilesNow() > 0) {
    new Gauge({
      name: "process_open_fds",
      help: "Number of open file descriptors.",
      registers: [made],
      collect() {
        this.set(openFilesNow());
      },
    });
  }
  addEventLoopDelay(made);
  return made;
}

function addEventLoopDelay(made: Registry): void {
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  new Gauge({
    name: "fanfare_event_loop_delay_seconds",
    help: "How late timers ran since the last scrape.",
    labelNames: ["quantile"],
    registers: [made],
    collect() {
      const beyond = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - resolutionMs / 1e3);
      for (const quantile of [0.5, 0.99]) this.set({ quantile }, beyond(delay.percentile(quantile * 100)));
      this.set({ quantile: 1 }, beyond(delay.max));
      delay.reset();
    },
  });
}

function openFilesNow(): number {
  return statSync(openFiles, { throwIfNoEntry: false })?.size ?? 0;
}
