import { join } from "node:path";
import { type FanfareServer, version } from "@fanfare/server";
import type { Command } from "commander";
import { exitCodeHelp } from "../exit-code.ts";
import { devCredentials } from "../server/dev-credentials.ts";
import { developmentBanner } from "../server/development-banner.ts";
import { openServer } from "../server/open-server.ts";
import { readServerConfig, type ServeOptions } from "../server/read-server-config.ts";
import { runWorkers } from "../server/run-workers.ts";
import { drainOnSignal } from "../server/signals.ts";
import { checkWorkers, workerConfig, workerNumber } from "../server/worker-number.ts";
import { tieToParent } from "../server/worker-tie.ts";
import { wholeNumber } from "../terminal/number-option.ts";
import { Output } from "../terminal/output.ts";
import { printable } from "../terminal/printable.ts";

/** The page of a development server, as `scripts/build-pages.ts` builds it and the package brings it. */
const playground = join(import.meta.dirname, "../../playground/dist");

/** `fanfare serve`. */
export function addServe(program: Command): void {
  program
    .command("serve")
    .summary("run a server")
    .description(
      "Runs a server until SIGTERM or SIGINT: then it sends its clients away, and exits when the last has gone.",
    )
    .option("--config <file>", "configuration in YAML or JSON: fanfare.config.v1.ServerConfig")
    .option(
      "--dev",
      "a development server instead, on loopback only: every group is open, secrets are new at each start",
    )
    .option("--host <address>", "where to listen (HOST, FANFARE_LISTEN_HOST; default 127.0.0.1)")
    .option("--port <number>", "0: one that is free (PORT, FANFARE_LISTEN_PORT; default 8080)", wholeNumber(0, 65_535))
    .option(
      "--workers <number>",
      "processes that share the address, each a node; needs Valkey (default 1)",
      wholeNumber(1, 256),
    )
    .option("--json", "print one line of JSON when it serves, instead of text for people")
    .addHelpText(
      "after",
      `
Examples:
  fanfare serve --dev
  fanfare serve --dev --port 9000
  fanfare serve --config fanfare.yaml
  fanfare serve --config fanfare.yaml --workers 4
  FANFARE_OBSERVE_LOG_LEVEL=debug fanfare serve --config fanfare.yaml

Every single value of the configuration can be set by a variable named like it: FANFARE_TIMING_DRAIN_WINDOW_MS
sets timing.drain_window_ms; lists are set in the file alone. Values of enums may be short: debug is LOG_LEVEL_DEBUG. What is given here wins over variables, variables win over the file. The log goes to
standard error. A second signal ends the server at once, with 130 (SIGINT) or 143 (SIGTERM).
${exitCodeHelp}`,
    )
    .action((options: ServeOptions) => serve(options, new Output(options.json === true)));
}

/** `npm start --port 9000` is an option of npm's, which goes no further. */
function warnOfNpm(options: ServeOptions, output: Output): void {
  if (process.env.npm_lifecycle_event !== "start") return;
  for (const name of ["port", "host"] as const) {
    const value = process.env[`npm_config_${name}`];
    if (value === undefined || value === "" || options[name] !== undefined) continue;
    output.note(`npm took --${name} for its own: write npm start -- --${name} ${printable(value)}`);
  }
}

async function serve(options: ServeOptions, output: Output): Promise<void> {
  warnOfNpm(options, output);
  const { config: given, devSecrets } = readServerConfig(options);
  const { workers = 1 } = options;
  const worker = workerNumber();
  if (worker === undefined && workers > 1) {
    checkWorkers(given, workers);
    const { dev, nodeId } = given;
    const nodes = Array.from({ length: workers }, (_, i) => workerConfig(given, i + 1).nodeId);
    const onServing = (urls: readonly string[]): void => {
      const [url] = urls;
      if (output.json) output.object({ event: "serving", url, urls, dev, nodes, version, pid: process.pid, workers });
      else output.line(`Fanfare ${version} serves on ${urls.join(", ")} with ${workers} workers`);
    };
    return await runWorkers({ count: workers, nodeId, output, onServing });
  }
  const config = worker === undefined ? given : workerConfig(given, worker);
  using tie = worker === undefined ? undefined : tieToParent();
  const opening = openServer({ config, devSecrets, pages: config.dev ? playground : undefined });
  using signals = drainOnSignal(opening, { isShort: config.dev, output, ...(tie && { hear: tie.hear }) });
  await using server = await opening;
  if (signals.isEnding) return await server.closed; // it has no address any more that could be told
  if (tie !== undefined) {
    tie.serves(server.urls);
    return await server.closed;
  }
  const credentials = devSecrets && (await devCredentials(server.url, "alice", ""));
  if (output.json) output.object({ ...servingLine(server, config.dev), ...credentials });
  else if (credentials === undefined) output.line(`Fanfare ${version} serves on ${server.urls.join(", ")}`);
  else for (const line of developmentBanner({ url: server.url, version, credentials }, output)) output.line(line);
  await server.closed;
}

function servingLine({ url, urls, node }: FanfareServer, dev: boolean) {
  return { event: "serving", url, urls, dev, node: node.config.nodeId, version, pid: process.pid };
}
