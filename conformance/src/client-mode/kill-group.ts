/** Ends a process and everything it has started, if it was started `detached` and still runs. */
export function killGroup(pid: number | undefined): void {
  signalGroup(pid, "SIGKILL");
}

/** Sends a signal to a process and everything it has started, if it was started `detached` and still runs. */
export function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
