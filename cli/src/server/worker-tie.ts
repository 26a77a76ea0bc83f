import cluster from "node:cluster";
import type { EndSignal, HearEnd } from "./end-signals.ts";

/** What a worker tells when it serves. */
export interface WorkerServes {
  readonly serves: readonly string[];
}

/** What a worker is told when it is to end, and by which signal. */
export interface WorkerEnds {
  readonly end: EndSignal;
}

/** What ties a worker to the process that has started it. */
export interface WorkerTie extends Disposable {
  /** Tells that process that this one serves. */
  readonly serves: (urls: readonly string[]) => void;
  /** Hears that process's word that it is time to end; so it is as well when that process has gone. */
  readonly hear: HearEnd;
}

/**
 * Lets nobody but the process that has started this one end it in order. A terminal, systemd and an init with process groups send their signal to all
 * processes of a service alike: what workers are to make of it comes from the one among them that counts signals, and they ignore their own. Disposed of, it
 * lets this process end; so whether the worker served or could not start.
 */
export function tieToParent(): WorkerTie {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => {});
  // Or Node ends a worker in the moment when its channel is closed, whoever closes it, and with 0.
  if (cluster.worker !== undefined) cluster.worker.exitedAfterDisconnect = true;
  return {
    serves(urls): void {
      process.send?.({ serves: urls } satisfies WorkerServes);
    },
    hear(begin): Disposable {
      let hasBegun = false;
      const beginOnce = (signal: EndSignal): void => {
        if (!hasBegun) begin(signal);
        hasBegun = true;
      };
      const onMessage = ({ end }: Partial<WorkerEnds>): void => (end === undefined ? undefined : beginOnce(end));
      const onDisconnect = (): void => beginOnce("SIGTERM");
      process.on("message", onMessage);
      process.on("disconnect", onDisconnect);
      return {
        [Symbol.dispose](): void {
          process.removeListener("message", onMessage);
          process.removeListener("disconnect", onDisconnect);
        },
      };
    },
    [Symbol.dispose](): void {
      if (process.connected) process.disconnect();
    },
  };
}
