import { quantile } from "./ledger.ts";
import type { Timed } from "./newcomers.ts";
import type { Strike } from "./whereabouts.ts";

/** How a fault counts. */
export interface FaultOptions {
  /** It counts so much longer than it lasts, in milliseconds. Default: 0. */
  readonly settleMs?: number;
  /** The node that it is done to, if it is done to one. */
  readonly nodeId?: string;
}

/** When there was a fault, and at which node if at one. */
interface Window {
  readonly nodeId?: string | undefined;
  readonly fromMs: number;
  toMs: number;
}

/** When there was a fault, by the monotonic clock. */
export class FaultWindows {
  readonly #windows: Window[];
  /** When what had failed was served again. */
  readonly #mendedAtMs: number[] = [];

  /** @param windows of faults that are known already */
  constructor(windows: readonly Window[] = []) {
    this.#windows = [...windows];
  }

  /** Does something terrible. It counts from its begin until it is over, and `settleMs` longer. */
  async during<Result>(fault: () => Promise<Result>, { settleMs = 0, nodeId }: FaultOptions = {}): Promise<Result> {
    const window = { nodeId, fromMs: performance.now(), toMs: Number.POSITIVE_INFINITY };
    this.#windows.push(window);
    try {
      return await fault();
    } finally {
      window.toMs = performance.now() + settleMs;
    }
  }

  /** What was done to single nodes. */
  get strikes(): Strike[] {
    return this.#windows.flatMap(({ nodeId, ...window }) => (nodeId === undefined ? [] : [{ nodeId, ...window }]));
  }

  /** From now on what had failed is served again, for instance because there was an election; clients may not know it yet. */
  mended(): void {
    this.#mendedAtMs.push(performance.now());
  }

  /** When it was served again between two times, the last time; the earlier of them if it was not. */
  mendedMs(fromMs: number, toMs: number): number {
    return Math.max(fromMs, ...this.#mendedAtMs.filter((atMs) => fromMs <= atMs && atMs <= toMs));
  }

  /** Whether there was a fault between two times. */
  overlaps(fromMs: number, toMs: number): boolean {
    return this.#windows.some((window) => fromMs <= window.toMs && toMs >= window.fromMs);
  }

  /** When the fault ended that there was between two times; the later of them if there was none. */
  overMs(fromMs: number, toMs: number): number {
    const its = this.#windows.filter((window) => window.fromMs <= toMs && fromMs <= window.toMs);
    return Math.max(toMs, ...its.map((window) => window.toMs));
  }

  /** When the first fault began after a time; infinite if there was none. */
  nextMs(afterMs: number): number {
    return Math.min(...this.#windows.map(({ fromMs }) => fromMs).filter((fromMs) => fromMs > afterMs));
  }

  /** 99th percentile of what was waited for while there was a fault, in milliseconds. */
  p99Ms(all: readonly Timed[]): number {
    const meanwhile = ({ atMs, tookMs }: Timed) => this.overlaps(atMs, atMs + tookMs);
    const took = all.filter(meanwhile).map(({ tookMs }) => tookMs);
    return quantile(
      took.sort((a, b) => a - b),
      0.99,
    );
  }
}
