import { type Node, NodeState } from "@fanfare/proto/control/v1";
import type { Command } from "commander";
import { exitCodeHelp } from "../exit-code.ts";
import { type ControlOptions, openNodes } from "../server/control.ts";
import type { OperatorOptions } from "../server/operator.ts";
import { type ServerOptions, withApiKey, withOperatorKey, withServerOptions } from "../server/server-options.ts";
import { durationText } from "../terminal/duration.ts";
import { Output } from "../terminal/output.ts";
import { printable } from "../terminal/printable.ts";
import { tableLines } from "../terminal/table.ts";

type NodesOptions = ControlOptions & OperatorOptions;

/** `fanfare nodes`. */
export function addNodes(program: Command): void {
  const command = program
    .command("nodes")
    .summary("show the nodes of the cluster")
    .description(
      "Prints the nodes of the cluster, with what they do and how many they serve; to the key of one of several apps, how many of its own.",
    );
  withOperatorKey(withApiKey(withServerOptions(command)))
    .addHelpText(
      "after",
      `
Examples:
  fanfare nodes
  fanfare nodes --json | jq 'select(.state == "READY")'
  FANFARE_API_KEY=… fanfare nodes --url https://game.example
${exitCodeHelp}`,
    )
    .action((options: ServerOptions & NodesOptions) => nodes(options, new Output(options.json === true)));
}

async function nodes(options: NodesOptions, output: Output): Promise<void> {
  const { client, failure } = await openNodes(options);
  const { nodes: all } = await client.listNodes({}).catch((error: unknown) => {
    throw failure(error);
  });
  if (output.json) {
    for (const node of all) output.object(forMachines(node));
    return;
  }
  const [head, ...rows] = tableLines(
    ["NODE", "STATE", "CONNECTIONS", "SESSIONS", "UP", "VERSION", "BROKER"],
    all.map(row),
  );
  output.line(output.styled("bold", head ?? ""));
  for (const line of rows) output.line(line);
}

function row(node: Node): string[] {
  const { nodeId, state, connections, sessions, startedAtMs, version, broker } = node;
  const up = durationText(Math.max(0, Date.now() - Number(startedAtMs)));
  return [nodeId, stateName(state).toLowerCase(), String(connections), String(sessions), up, version, broker].map(
    printable,
  );
}

function forMachines({ nodeId, incarnation, state, version, startedAtMs, connections, sessions, broker }: Node) {
  return {
    node: nodeId,
    incarnation: String(incarnation),
    state: stateName(state),
    connections,
    sessions,
    startedAt: new Date(Number(startedAtMs)).toISOString(),
    version,
    broker,
  };
}

function stateName(state: NodeState): string {
  return NodeState[state] ?? String(state);
}
