import type { Command } from "commander";
import { Progress } from "../all/progress.ts";
import { runAll } from "../all/run-all.ts";
import { onlyNamed, readRunConfig } from "../all/run-config.ts";
import { loadSuites } from "../cases/load-suites.ts";
import { readRequirements } from "../cases/requirements.ts";
import { exitCodeOf } from "../report/outcome.ts";
import { overviewText } from "../report/overview.ts";
import { collectReports, type ReportPaths, writeReports } from "../report/report-files.ts";
import { reportName } from "../report/report-name.ts";
import { problemsText } from "../report/summary.ts";
import { exitCodeHelp, usageExitCode } from "./exit-code.ts";
import { addReportPaths } from "./report-options.ts";
import { addSelection, noCaseFits, type SelectionOptions, selectionOf } from "./selection-options.ts";
import { parseCount } from "./whole-number.ts";

interface Options extends SelectionOptions, ReportPaths {
  readonly config: string;
  readonly only?: string[];
  readonly patience?: number;
  readonly trace?: boolean;
}

/** `fanfare-conformance all`. */
export function addAllCommand(program: Command): void {
  const command = program
    .command("all")
    .summary("hold several servers and clients against the protocol, side by side")
    .description("Runs every implementation that a configuration names (fanfare/conformance/v1alpha/run_config.proto).")
    .requiredOption("--config <file>", "which implementations")
    .option("--only <name...>", "only these of them")
    .option("--patience <ms>", "how long to wait for what a client has to do at once (default 5000)", parseCount)
    .option("--trace", "show what went over the wire in cases that fail");
  addReportPaths(addSelection(command))
    .addHelpText(
      "after",
      `
Examples:
  fanfare-conformance all --config conformance.yaml
  fanfare-conformance all --config conformance.yaml --only my-client --profile core
  fanfare-conformance all --config conformance.yaml --html report.html

${exitCodeHelp}`,
    )
    .action(async (options: Options) => {
      process.exitCode = await all(options);
    });
}

async function all(options: Options): Promise<number> {
  const suites = loadSuites(readRequirements());
  const config = onlyNamed(readRunConfig(options.config), options.only);
  using progress = new Progress(process.stdout);
  const reports = await runAll(suites, config, {
    selection: selectionOf(options),
    progress,
    patienceMs: options.patience ?? 5_000,
    isStrict: process.env.CI === "true",
  });
  const collection = collectReports(reports);
  writeReports(collection, options);
  for (const report of reports) {
    const problems = problemsText(report, { withTrace: options.trace === true });
    if (problems !== "") console.log(`\n=== ${reportName(report)}\n\n${problems}`);
  }
  console.log(`\n${overviewText(collection)}`);
  if (reports.some(({ results, listProblems }) => results.length + listProblems.length > 0)) {
    return Math.max(...reports.map(exitCodeOf));
  }
  console.error(noCaseFits);
  return usageExitCode;
}
