import { readFileSync } from "node:fs";
import { text as textOf } from "node:stream/consumers";
import { toJson } from "@bufbuild/protobuf";
import { type App, AppSchema } from "@fanfare/proto/config/v1";
import { AppSource, type AppStatus, type UnconfirmedNode } from "@fanfare/proto/control/v1";
import { FanfareError } from "@fanfare/sdk-node";
import { ConfigError, readAppText } from "@fanfare/server";
import type { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { exitCodeHelp } from "../exit-code.ts";
import { type Operator, type OperatorOptions, openOperator } from "../server/operator.ts";
import { type ServerOptions, withOperatorKey, withServerOptions } from "../server/server-options.ts";
import { Output } from "../terminal/output.ts";
import { printable } from "../terminal/printable.ts";
import { tableLines } from "../terminal/table.ts";

type AppsOptions = ServerOptions & OperatorOptions;

/** `fanfare apps`. */
export function addApps(program: Command): void {
  const apps = program
    .command("apps")
    .summary("list, add, change and delete apps at run time")
    .description("Shows and changes which apps there are, on every node and without a restart. Needs an operator key.")
    .helpCommand(false);
  apps.addHelpText(
    "after",
    `
Examples:
  fanfare apps list
  fanfare apps put my-game.yaml
  fanfare apps delete my-game
${exitCodeHelp}`,
  );
  const add = (name: string, summary: string, description: string, help: string): Command =>
    withOperatorKey(withServerOptions(apps.command(name).summary(summary).description(description))).addHelpText(
      "after",
      `\n${help}\n${exitCodeHelp}`,
    );
  add(
    "list",
    "show all apps",
    "Prints the apps of the configuration file and those that were put, as the node that answers has them. Secrets are never shown.",
    `Examples:
  fanfare apps list
  fanfare apps list --json | jq -r 'select(.source == "RUN_TIME") | .app.id'
  FANFARE_OPERATOR_KEY=… fanfare apps list --url https://game.example

With --json one line for each app: {app, source, problem}.`,
  ).action((options: AppsOptions) => list(options, new Output(options.json === true)));
  add(
    "put",
    "add an app, or change one",
    "Adds the app that a file describes, as an entry of `apps` in a configuration file does, or replaces the one of its id. Clients stay connected.",
    `Examples:
  fanfare apps put my-game.yaml
  fanfare apps put - <<'END'
  id: my-game
  playerAuth: { jwksUrl: "https://my-game.example/keys" }
  namespaces: [{ name: chat, rules: { subscribe: ACCESS_ANYONE, publish: ACCESS_SUBSCRIBERS } }]
  END

What is put is stored in Valkey: name keys of HS256 by \`environment\`, or use public keys or jwksUrl.
With --json one line: {app, created, unconfirmedNodes}. Nodes that have not confirmed it are a failure.`,
  )
    .argument("<file>", "YAML or JSON of the app; - reads standard input")
    .action((file: string, options: AppsOptions) => put(file, options, new Output(options.json === true)));
  add(
    "delete",
    "delete an app that was put",
    "Deletes an app that was put, and closes its clients. Asks for nothing.",
    `Examples:
  fanfare apps delete my-game

With --json one line: {app, changed, unconfirmedNodes}. Nodes that have not confirmed it are a failure.`,
  )
    .argument("<id>", "id of the app")
    .action((id: string, options: AppsOptions) => remove(id, options, new Output(options.json === true)));
}

async function list(options: AppsOptions, output: Output): Promise<void> {
  const all: AppStatus[] = [];
  const operator = await openOperator(options);
  let pageToken = "";
  do {
    const page = await operator.client.listApps({ pageToken }).catch((error: unknown) => {
      throw operator.failure(error);
    });
    all.push(...page.apps);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  if (output.json) {
    for (const { app, source, problem } of all) {
      output.object({ app: app && toJson(AppSchema, app), source: AppSource[source], problem });
    }
    return;
  }
  const [head, ...rows] = tableLines(["APP", "SOURCE", "NAMESPACES", "API KEYS", "PROBLEM"], all.map(row));
  output.line(output.styled("bold", head ?? ""));
  for (const line of rows) output.line(line);
}

function row({ app, source, problem }: AppStatus): string[] {
  const from = source === AppSource.CONFIGURATION ? "configuration" : "run time";
  const keys = (app?.apiKeys ?? []).map(({ id }) => id).join(" ");
  return [app?.id ?? "", from, String(app?.namespaces.length ?? 0), keys || "none", problem].map(printable);
}

async function put(file: string, options: AppsOptions, output: Output): Promise<void> {
  const { app, lineOf } = await read(file);
  const operator = await openOperator(options);
  const { created, unconfirmedNodes } = await operator.client.putApp({ app }).catch((error: unknown) => {
    throw located(error, file, lineOf) ?? operator.failure(error);
  });
  if (output.json) output.object({ app: app.id, created, unconfirmedNodes: unconfirmedNodes.map(forMachines) });
  else output.line(`${printable(app.id)} is ${created ? "there" : "changed"}`);
  complain(unconfirmedNodes);
}

async function remove(id: string, options: AppsOptions, output: Output): Promise<void> {
  const operator: Operator = await openOperator(options);
  const { changed, unconfirmedNodes } = await operator.client.deleteApp({ id }).catch((error: unknown) => {
    throw operator.failure(error);
  });
  if (output.json) output.object({ app: id, changed, unconfirmedNodes: unconfirmedNodes.map(forMachines) });
  else output.line(changed ? `${printable(id)} is gone` : `there was no ${printable(id)}`);
  complain(unconfirmedNodes);
}

function forMachines({ nodeId, reason }: UnconfirmedNode) {
  return { node: nodeId, reason };
}

/** @throws CliError */
function complain(nodes: readonly UnconfirmedNode[]): void {
  if (nodes.length === 0) return;
  const which = nodes.map(({ nodeId, reason }) => `${printable(nodeId)} (${printable(reason)})`).join(", ");
  throw new CliError("failed", `not confirmed by ${which}`, "look at each with: npx fanfare apps list --url <node>");
}

/** @throws CliError naming the line */
async function read(file: string): Promise<{ app: App; lineOf(path: string): number | undefined }> {
  try {
    return readAppText(file === "-" ? await textOf(process.stdin) : readFileSync(file, "utf8"));
  } catch (error) {
    if (error instanceof ConfigError)
      throw new CliError("usage", `${nameOf(file)}: ${error.message}`, "", { cause: error });
    const reason = (error as NodeJS.ErrnoException).code === "ENOENT" ? "does not exist" : (error as Error).message;
    throw new CliError("usage", `${nameOf(file)} cannot be read: ${reason}`, "", { cause: error });
  }
}

/** What the server refused of the file, and where it stands there. */
function located(error: unknown, file: string, lineOf: (path: string) => number | undefined): CliError | undefined {
  const { field, message } = FanfareError.from(error);
  if (!field?.startsWith("app.")) return undefined;
  const line = lineOf(field.slice("app.".length));
  const remedy = field.endsWith("sha256") ? "write 64 hex digits: only the first word of sha256sum's output" : "";
  return new CliError("failed", `${nameOf(file)}${line === undefined ? "" : `: line ${line}`}: ${message}`, remedy, {
    cause: error,
  });
}

function nameOf(file: string): string {
  return file === "-" ? "standard input" : file;
}
