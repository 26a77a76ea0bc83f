import { create } from "@bufbuild/protobuf";
import { ServerConfigSchema } from "@fanfare/proto/config/v1";
import { validatorFor } from "@fanfare/proto/validate";
import type { ResolvedConfig } from "@fanfare/server";
import { CliError } from "../cli-error.ts";

/** The id of the key that a server makes for itself when none is configured. */
const randomKeyId = "random";

/** Names a worker to itself; set by the process that starts it. */
export const workerVariable = "FANFARE_WORKER";

/** Which worker this process is, from 1 on; undefined: none. */
export function workerNumber(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): number | undefined {
  const text = environment[workerVariable];
  return text === undefined ? undefined : Number(text);
}

/**
 * The variables of one worker. A node's name that is not configured is drawn once, by the process that starts them: each would draw one of its own, and
 * nobody could tell which nodes this server is.
 */
export function workerEnvironment(nodeId: string, worker: number): Readonly<Record<string, string>> {
  return { [workerVariable]: String(worker), FANFARE_NODE_ID: nodeId };
}

/** The configuration of one worker: a node of its own. */
export function workerConfig(config: ResolvedConfig, worker: number): ResolvedConfig {
  return { ...config, nodeId: `${config.nodeId}-${worker}` };
}

/** @throws CliError if several processes could not work together */
export function checkWorkers(config: ResolvedConfig, workers: number): void {
  if (workers === 1) return;
  if (config.valkey === undefined) {
    throw new CliError(
      "usage",
      `${workers} workers are ${workers} nodes, and what connects nodes is Valkey, which is not configured`,
      "set valkey.addresses in the configuration, or leave out --workers",
    );
  }
  if (config.clusterKeys.some(({ id }) => id === randomKeyId)) {
    throw new CliError(
      "usage",
      "workers without cluster_keys have different ones, and no session could be resumed at another worker",
      "set cluster_keys in the configuration",
    );
  }
  const { nodeId } = workerConfig(config, workers);
  const problem = validatorFor(ServerConfigSchema)(create(ServerConfigSchema, { nodeId }));
  if (problem?.field === "node_id") {
    throw new CliError(
      "usage",
      `the last worker's node would be ${nodeId}, which ${problem.message}`,
      "set a shorter node_id in the configuration",
    );
  }
}
