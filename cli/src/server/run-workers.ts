import cluster, { type Worker } from "node:cluster";
import { CliError } from "../cli-error.ts";
import type { Output } from "../terminal/output.ts";
import { type EndSignal, hearSignals } from "./end-signals.ts";
import { workerEnvironment } from "./worker-number.ts";
import type { WorkerEnds, WorkerServes } from "./worker-tie.ts";

/** A worker that ends sooner than this after its start is started again only after a pause, in milliseconds. */
const quickMs = 5_000;
const maxPauseMs = 10_000;

/** What is to run as several processes. */
export interface RunWorkersOptions {
  readonly count: number;
  /** Of the configuration, or drawn once for all of them: each puts its number behind it. */
  readonly nodeId: string;
  readonly output: Output;
  /** Told when the first of them serves, with the addresses that all of them share. */
  readonly onServing: (urls: readonly string[]) => void;
}

/**
 * Runs a server as several processes that share its addresses, each a node of the cluster, until a signal: then all of them send their clients away. A
 * worker that ends by itself is started again.
 * @throws CliError if none of them could be started, or if one that served did not send its clients away in the end
 */
export async function runWorkers({ count, nodeId, output, onServing }: RunWorkersOptions): Promise<void> {
  const workers = new Map<number, Worker>();
  const failures = new Map<number, number>();
  const pauses = new Map<number, NodeJS.Timeout>();
  /** Workers that were cut short in the end, and how. */
  const cutShort: string[] = [];
  let isEnding = false;
  let isServing = false;
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();

  const start = (number: number): void => {
    const worker = cluster.fork(workerEnvironment(nodeId, number));
    const startedMs = performance.now();
    let serves = false;
    workers.set(number, worker);
    worker.on("message", ({ serves: urls }: Partial<WorkerServes>) => {
      if (urls === undefined) return;
      failures.delete(number);
      serves = true;
      if (!isServing) onServing(urls);
      isServing = true;
    });
    worker.once("exit", (code, signal) => {
      workers.delete(number);
      const how = signal ?? `exit code ${code}`;
      if (isEnding) {
        // One that did not serve yet had no clients.
        if (serves && code !== 0) cutShort.push(`worker ${number} ended with ${how}`);
        return workers.size === 0 ? resolve() : undefined;
      }
      if (!isServing) {
        // It has said why. What one cannot do the others cannot do either.
        end("SIGTERM");
        return reject(new CliError("failed", `worker ${number} could not be started`));
      }
      const isQuick = performance.now() - startedMs < quickMs;
      const inARow = isQuick ? (failures.get(number) ?? 0) + 1 : 0;
      failures.set(number, inARow);
      const pauseMs = inARow === 0 ? 0 : Math.min(500 * 2 ** inARow, maxPauseMs);
      output.note(
        `Worker ${number} has ended (${how}); it is started again${pauseMs > 0 ? ` in ${pauseMs / 1000} s` : ""}.`,
      );
      pauses.set(
        number,
        setTimeout(() => start(number), pauseMs),
      );
    });
  };

  const end = (signal: EndSignal): void => {
    isEnding = true;
    for (const pause of pauses.values()) clearTimeout(pause);
    if (workers.size === 0) resolve();
    for (const worker of workers.values()) {
      worker.send({ end: signal } satisfies WorkerEnds, () => {}); // it may be gone already
    }
  };
  const killAll = (): void => {
    for (const worker of workers.values()) worker.process.kill("SIGKILL");
  };
  using _ = hearSignals(end, killAll);
  for (let number = 1; number <= count; number++) start(number);
  await ended;
  if (cutShort.length > 0) {
    throw new CliError("failed", `not every worker has sent its clients away: ${cutShort.join(", ")}`);
  }
}
