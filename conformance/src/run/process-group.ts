import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";

/** Groups that run, by the pid of the shell that leads each. They are this process's, as the signals it gets are. */
const running = new Set<number>();

/** How long groups have to end by themselves when this process is told to end, in milliseconds. */
const graceMs = 500;

/** Starts a shell command in a process group of its own, so that what it starts ends with it. */
export function startGroup(command: string): ChildProcessWithoutNullStreams {
  const child = spawn(command, { shell: true, stdio: "pipe", detached: true });
  const { pid } = child;
  if (pid !== undefined) {
    running.add(pid);
    child.once("close", () => running.delete(pid));
  }
  return child;
}

/** Ends a group, if it still runs. */
export function killGroup(pid: number | undefined): void {
  signalGroup(pid, "SIGKILL");
}

/** Sends a signal to every process of a group, if it still runs. */
export function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/**
 * From now on no group outlives this process: neither its end nor Ctrl-C, which does not reach other groups. The signal ends
 * this process as if it had not been heard.
 */
export function endGroupsWithThisProcess(): void {
  process.once("exit", killAll);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      for (const pid of running) {
        signalGroup(pid, "SIGTERM");
        signalGroup(pid, "SIGCONT"); // who stands still hears nothing else
      }
      // Standing still as well: no case goes on, or begins, and no report of half a run is written.
      if (running.size > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, graceMs);
      killAll();
      process.kill(process.pid, signal);
    });
  }
}

function killAll(): void {
  for (const pid of running) killGroup(pid);
}
