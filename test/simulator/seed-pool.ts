import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Setting } from "./plan.ts";
import type { Sabotage } from "./sabotage.ts";
import { addTally, type Tally } from "./tally.ts";
import type { FailedSeed, RangeResult, SeedRange } from "./worker.ts";

/** Which seeds to run, and how. */
export interface PoolOptions {
  readonly from: number;
  readonly count: number;
  readonly settings: readonly Setting[];
  readonly sabotage?: Sabotage | undefined;
  /** Processes side by side. */
  readonly workers: number;
  /** Failed seeds after which no more is begun. */
  readonly maxFailed: number;
  /** Told after each range. */
  readonly onProgress: (progress: PoolResult) => void;
}

/** What came of the seeds so far. */
export interface PoolResult {
  seeds: number;
  readonly tally: Tally;
  readonly failed: FailedSeed[];
}

/** Seeds that a worker is given at once. */
const rangeSeeds = 20;

/** Garbage is short-lived; and of errors nobody reads where they come from, until a seed is run by itself. */
const workerArgv = ["--max-semi-space-size=64", "--stack-trace-limit=0"];

/** Runs seeds in several processes. */
export async function runSeeds(options: PoolOptions): Promise<PoolResult> {
  const total: PoolResult = { seeds: 0, tally: {}, failed: [] };
  const end = options.from + options.count;
  let next = options.from;
  const takeRange = (): SeedRange | undefined => {
    if (next >= end || total.failed.length >= options.maxFailed) return undefined;
    const from = next;
    next = Math.min(end, from + rangeSeeds);
    return { from, count: next - from, settings: options.settings, sabotage: options.sabotage };
  };
  const take = ({ count, tally, failed }: RangeResult): void => {
    total.seeds += count;
    addTally(total.tally, tally);
    total.failed.push(...failed);
    options.onProgress(total);
  };
  await Promise.all(Array.from({ length: options.workers }, () => runWorker(takeRange, take)));
  total.failed.sort((a, b) => a.plan.seed - b.plan.seed);
  return total;
}

/** One process, until there are no more ranges. */
function runWorker(takeRange: () => SeedRange | undefined, take: (result: RangeResult) => void): Promise<void> {
  const child = fork(fileURLToPath(new URL("worker.ts", import.meta.url)), {
    execArgv: [...process.execArgv, ...workerArgv],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  return new Promise((resolve, reject) => {
    let current: SeedRange | undefined;
    const goOn = (): void => {
      current = takeRange();
      if (current !== undefined) return void child.send(current);
      child.disconnect();
      resolve();
    };
    child.on("message", (result: RangeResult) => {
      take(result);
      goOn();
    });
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      if (current === undefined) return;
      const { from, count } = current;
      reject(new Error(`a worker ended (${signal ?? code}) in the seeds ${from} to ${from + count - 1}`));
    });
    goOn();
  });
}
