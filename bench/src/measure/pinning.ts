import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";

/** The server has a core for itself, and so has the load generator: otherwise each would be measured in the other's time. */
export const serverCore = 0;
export const loadCore = 1;

/** Whether processes can be pinned here: `taskset` (util-linux) and two cores. */
export const canPin: boolean =
  availableParallelism() >= 2 && spawnSync("taskset", ["--version"], { stdio: "ignore" }).status === 0;

/** The command that runs `command` on that core, or `command` itself where nothing can be pinned. */
export function pinnedCommand(core: number, command: readonly [string, ...string[]]): readonly [string, ...string[]] {
  return canPin ? ["taskset", "-c", String(core), ...command] : command;
}

/** Moves every thread of this process to that core. */
export function pinThisProcess(core: number): void {
  if (!canPin) return;
  const { status, stderr } = spawnSync("taskset", ["-a", "-c", "-p", String(core), String(process.pid)]);
  if (status !== 0) throw new Error(`taskset: ${stderr}`);
}
