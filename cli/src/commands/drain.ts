import { ErrorCode, FanfareError } from "@fanfare/sdk-node";
import type { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { exitCodeHelp } from "../exit-code.ts";
import { type ControlOptions, openNodes } from "../server/control.ts";
import { NodeLook } from "../server/node-look.ts";
import type { OperatorOptions } from "../server/operator.ts";
import { type ServerOptions, withApiKey, withOperatorKey, withServerOptions } from "../server/server-options.ts";
import { parseDuration } from "../terminal/duration.ts";
import { Output } from "../terminal/output.ts";

interface DrainOptions extends ServerOptions, ControlOptions, OperatorOptions {
  readonly node?: string;
  readonly window?: number;
  readonly deadline?: number;
}

/** `fanfare drain`. */
export function addDrain(program: Command): void {
  const command = program
    .command("drain")
    .summary("send a node's clients away and end it")
    .description(
      "Sends the clients of a node away, and shows how many are left until the node has ended. Asks for nothing. Needs an operator key where there are several apps and operator keys.",
    )
    .option("--node <id>", "which node (default: the one that answers)")
    .option(
      "--window <duration>",
      "over which clients are spread: 10s (default: as the node is configured)",
      parseDuration,
    )
    .option("--deadline <duration>", "after which who is left is closed: 30s (default: as configured)", parseDuration);
  withOperatorKey(withApiKey(withServerOptions(command)))
    .addHelpText(
      "after",
      `
Examples:
  fanfare drain
  fanfare drain --node eu-3 --window 30s --deadline 60s

With --json one line for each change: {node, sessions, connections, state}; at the end its state is GONE.
${exitCodeHelp}`,
    )
    .action((options: DrainOptions) => drain(options, new Output(options.json === true)));
}

async function drain(options: DrainOptions, output: Output): Promise<void> {
  const control = await openNodes(options);
  const look = new NodeLook(control);
  const nodeId = options.node ?? (await onlyNode(look));
  // Who answers, before it may be gone. Without a key that may read there is nothing to look at; it may drain all the same.
  if (options.node !== undefined) await look.list().catch(unlessForbidden);
  const wish = { nodeId, windowMs: orConfigured(options.window), deadlineMs: orConfigured(options.deadline) };
  const { sessions } = await control.client.drain(wish).catch((error: unknown) => {
    throw control.failure(error);
  });
  if (!output.json)
    output.line(`${nodeId} drains: ${sessions} ${sessions === 1 ? "session was" : "sessions were"} told to go`);
  let before = "";
  for await (const left of look.untilGone(nodeId)) {
    const text = JSON.stringify(left);
    if (text === before) continue;
    before = text;
    if (output.json) output.object({ node: nodeId, ...left, state: "DRAINING" });
    else output.line(`${left.connections} ${left.connections === 1 ? "connection is" : "connections are"} left`);
  }
  if (output.json) output.object({ node: nodeId, sessions: 0, connections: 0, state: "GONE" });
  else output.line(`${nodeId} is gone`);
}

/** The node that answers, where there is but one; which of several answers is up to whatever stands before them. */
async function onlyNode(look: NodeLook): Promise<string> {
  const nodes = await look.list();
  const [first, ...others] = nodes;
  if (first !== undefined && others.length === 0) return first.nodeId;
  const names = nodes.map(({ nodeId }) => nodeId).join(", ");
  throw new CliError("usage", `there are ${nodes.length} nodes: ${names}`, "say which with --node");
}

function unlessForbidden(error: unknown): void {
  const { cause } = error as CliError;
  if (FanfareError.from(cause).code !== ErrorCode.PERMISSION_DENIED) throw error;
}

/** On the wire 0 stands for what is configured, so that no time at all is a millisecond. */
function orConfigured(ms: number | undefined): number {
  return ms === undefined ? 0 : Math.max(1, ms);
}
