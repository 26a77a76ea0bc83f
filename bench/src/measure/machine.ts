import { availableParallelism, cpus, loadavg, release } from "node:os";
import { canPin, loadCore, serverCore } from "./pinning.ts";

/** What one has to know of the machine to compare figures. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly kernel: string;
  readonly pinning: string;
  /** Load average of the last minute at the start. */
  readonly loadAverage: number;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    node: process.version,
    kernel: `${process.platform} ${release()}`,
    pinning: canPin
      ? `server on core ${serverCore}, load on core ${loadCore}`
      : "none (needs taskset and two cores): figures are of little use",
    loadAverage: loadavg()[0] ?? 0,
  };
}
