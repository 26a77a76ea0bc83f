import type { Log, ResolvedConfig } from "@fanfare/server";

/** What a server opens besides the sockets of clients: listeners, Valkey, calls of backends. */
const otherFiles = 100;

/**
 * Warns when the system lets this process open fewer files than it may have connections: the system would close those that are too many without a word to
 * them or to the server.
 * @param softLimit default: that of this process
 */
export function warnOfFewFiles(
  log: Pick<Log, "warn">,
  { maxConnections, maxUnauthenticated }: Pick<ResolvedConfig["limits"], "maxConnections" | "maxUnauthenticated">,
  softLimit: number = softFileLimit(),
): void {
  const needed = maxConnections + maxUnauthenticated + otherFiles;
  if (softLimit >= needed) return;
  log.warn("too few open files are allowed for limits.max_connections: raise ulimit -n, or lower that", {
    openFiles: softLimit,
    needed,
    maxConnections,
  });
}

/** Infinite where the system has no such limit. */
function softFileLimit(): number {
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft: string | number } } };
  const soft = Number(userLimits?.open_files?.soft ?? Number.POSITIVE_INFINITY);
  return Number.isNaN(soft) ? Number.POSITIVE_INFINITY : soft; // "unlimited"
}
