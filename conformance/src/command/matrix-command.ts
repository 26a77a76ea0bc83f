import type { Command } from "commander";
import { Progress } from "../all/progress.ts";
import { type LoadedConfig, onlyNamed, readRunConfig } from "../all/run-config.ts";
import { loadSuites } from "../cases/load-suites.ts";
import { readRequirements } from "../cases/requirements.ts";
import { runMatrix } from "../pair-mode/run-matrix.ts";
import { exitCodeOf } from "../report/outcome.ts";
import { pairTables } from "../report/pair-table.ts";
import { collectReports, type ReportPaths, writeReports } from "../report/report-files.ts";
import { reportName } from "../report/report-name.ts";
import { problemsText } from "../report/summary.ts";
import { exitCodeHelp, usageExitCode } from "./exit-code.ts";
import { addReportPaths } from "./report-options.ts";
import { addSelection, noCaseFits, type SelectionOptions, selectionOf } from "./selection-options.ts";

interface Options extends SelectionOptions, ReportPaths {
  readonly config: string;
  readonly only?: string[];
  readonly trace?: boolean;
}

/** `fanfare-conformance matrix`. */
export function addMatrixCommand(program: Command): void {
  const command = program
    .command("matrix")
    .summary("play every client with every server")
    .description(
      "Has every client of a configuration talk through every server of it, with a fault proxy between them, and judges what the clients report.",
    )
    .requiredOption("--config <file>", "which clients and servers (fanfare/conformance/v1alpha/run_config.proto)")
    .option(
      "--only <name...>",
      "only these of them; without a server among them, with every server, and so for clients",
    )
    .option("--trace", "show what went over the wire in cases that fail");
  addReportPaths(addSelection(command))
    .addHelpText(
      "after",
      `
Signs: ✓ passed, ✗ failed, – not supported by the client or the server, (✗) known to fail, ! the runner could not do it

Examples:
  fanfare-conformance matrix --config conformance.yaml
  fanfare-conformance matrix --config conformance.yaml --only my-client --html matrix.html

${exitCodeHelp}`,
    )
    .action(async (options: Options) => {
      process.exitCode = await matrix(options);
    });
}

async function matrix(options: Options): Promise<number> {
  const suites = loadSuites(readRequirements());
  const config = pairsOf(readRunConfig(options.config), options.only);
  using progress = new Progress(process.stdout);
  const reports = await runMatrix(suites, config, {
    selection: selectionOf(options),
    progress,
    isStrict: process.env.CI === "true",
  });
  if (reports.length === 0) {
    console.error("there is no pair of a client and a server");
    return usageExitCode;
  }
  if (reports.every(({ results, listProblems }) => results.length + listProblems.length === 0)) {
    console.error(noCaseFits);
    return usageExitCode;
  }
  writeReports(collectReports(reports), options);
  for (const report of reports) {
    const problems = problemsText(report, { withTrace: options.trace === true });
    if (problems !== "") console.log(`\n=== ${reportName(report)}\n\n${problems}`);
  }
  console.log(`\n${pairTables(reports)}`);
  return Math.max(...reports.map(exitCodeOf));
}

/** What names choose; where they choose no server, or no client, all of these. */
function pairsOf(config: LoadedConfig, only: readonly string[] | undefined): LoadedConfig {
  const { servers, clients, ...rest } = onlyNamed(config, only);
  return {
    ...rest,
    servers: servers.length === 0 ? config.servers : servers,
    clients: clients.length === 0 ? config.clients : clients,
  };
}
