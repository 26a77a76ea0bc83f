import cluster, { type Worker } from "node:cluster";
import { constants } from "node:os";
import { CliError } from "../cli-error.ts";
import type { Output } from "../terminal/output.ts";
import { workerVariable } from "./worker-number.ts";

/** A worker that ends sooner than this after its start is started again only after a pause, in milliseconds. */
const quickMs = 5_000;
const maxPauseMs = 10_000;

/** What a worker tells when it serves. */
export interface WorkerServes {
  readonly serves: readonly string[];
}

/**
 * Runs a server as several processes that share its addresses, each a node of the cluster, until a signal: then all of them send their clients away. A
 * worker that ends by itself is started again.
 * @throws CliError if none of them could be started
 */
export async function runWorkers(
  count: number,
  output: Output,
  onServing: (urls: readonly string[]) => void,
): Promise<void> {
  const workers = new Map<number, Worker>();
  const failures = new Map<number, number>();
  let isEnding = false;
  let isServing = false;
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();

  const start = (number: number): void => {
    const worker = cluster.fork({ [workerVariable]: String(number) });
    const startedMs = performance.now();
    workers.set(number, worker);
    worker.on("message", ({ serves }: Partial<WorkerServes>) => {
      if (serves === undefined) return;
      failures.delete(number);
      if (!isServing) onServing(serves);
      isServing = true;
    });
    worker.once("exit", (code, signal) => {
      workers.delete(number);
      if (isEnding) return workers.size === 0 ? resolve() : undefined;
      if (!isServing) {
        // It has said why. What one cannot do the others cannot do either.
        isEnding = true;
        for (const other of workers.values()) other.process.kill("SIGTERM");
        return reject(new CliError("failed", `worker ${number} could not be started`));
      }
      const isQuick = performance.now() - startedMs < quickMs;
      const inARow = isQuick ? (failures.get(number) ?? 0) + 1 : 0;
      failures.set(number, inARow);
      const pauseMs = inARow === 0 ? 0 : Math.min(500 * 2 ** inARow, maxPauseMs);
      output.note(
        `Worker ${number} has ended (${signal ?? `exit code ${code}`}); it is started again${pauseMs > 0 ? ` in ${pauseMs / 1000} s` : ""}.`,
      );
      setTimeout(() => isEnding || start(number), pauseMs);
    });
  };

  const onSignal = (signal: NodeJS.Signals): void => {
    if (isEnding) {
      for (const worker of workers.values()) worker.process.kill("SIGKILL");
      process.exit(128 + constants.signals[signal]);
    }
    isEnding = true;
    if (workers.size === 0) resolve();
    for (const worker of workers.values()) worker.process.kill("SIGTERM");
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  try {
    for (let number = 1; number <= count; number++) start(number);
    await ended;
  } finally {
    process.removeListener("SIGTERM", onSignal);
    process.removeListener("SIGINT", onSignal);
  }
}

/** What ties a worker to the process that has started it. */
export interface WorkerTie extends Disposable {
  /** Tells that process that this one serves, and goes from now on when that has gone. */
  readonly serves: (urls: readonly string[]) => void;
}

/** Disposed of, it lets this process end; so whether the worker served or could not start. */
export function tieToParent(): WorkerTie {
  const orphaned = (): void => void process.kill(process.pid, "SIGTERM");
  return {
    serves(urls): void {
      process.send?.({ serves: urls } satisfies WorkerServes);
      process.once("disconnect", orphaned);
    },
    [Symbol.dispose](): void {
      process.removeListener("disconnect", orphaned);
      if (process.connected) process.disconnect();
    },
  };
}
