import { cpus } from "node:os";

/** Time that a core spent on anything, in milliseconds since boot; undefined where the system does not tell. */
export function coreBusyMs(core: number): number | undefined {
  const times = cpus()[core]?.times;
  return times === undefined ? undefined : times.user + times.nice + times.sys + times.irq;
}
