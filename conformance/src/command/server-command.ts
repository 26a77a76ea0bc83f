import { join } from "node:path";
import type { Command } from "commander";
import { loadSuites } from "../cases/load-suites.ts";
import { readRequirements } from "../cases/requirements.ts";
import { KnownFailures } from "../report/known-failing.ts";
import { exitCodeOf, outcomeOf } from "../report/outcome.ts";
import { type ReportPaths, writeReports } from "../report/report-files.ts";
import { summaryText } from "../report/summary.ts";
import { runServerSuite } from "../run/run-server-suite.ts";
import { openEnvironment, readTarget } from "../target/target-file.ts";
import { exitCodeHelp } from "./exit-code.ts";
import { addReportPaths } from "./report-options.ts";
import { addRepeat, runRepeatedly } from "./run-repeatedly.ts";
import { addSelection, noCaseFits, type SelectionOptions, selectionOf } from "./selection-options.ts";
import { parseCount } from "./whole-number.ts";

interface Options extends SelectionOptions, ReportPaths {
  readonly target: string;
  readonly concurrency?: number;
  readonly trace?: boolean;
  readonly verbose?: boolean;
  readonly repeat?: number;
}

/** `fanfare-conformance server`. */
export function addServerCommand(program: Command): void {
  const command = program
    .command("server")
    .summary("hold a server against the protocol")
    .description("Runs the cases for servers against one that is set up with the fixtures (docs/guide/fixtures.md).")
    .requiredOption("-t, --target <file>", "what the server is: a target.yaml")
    .option("--concurrency <n>", "cases side by side (default 16)", parseCount)
    .option("--trace", "show what went over the wire in cases that fail")
    .option("--verbose", "print every case as it ends");
  addReportPaths(addRepeat(addSelection(command)))
    .addHelpText(
      "after",
      `
Examples:
  fanfare-conformance server --target target.yaml
  fanfare-conformance server --target target.yaml --profile core groups
  fanfare-conformance server --target target.yaml --case core/handshake --trace
  fanfare-conformance server --target target.yaml --spec FF-SE-007 --json report.json

${exitCodeHelp}`,
    )
    .action(async (options: Options) => {
      process.exitCode = await runServer(options);
    });
}

async function runServer(options: Options): Promise<number> {
  const all = loadSuites(readRequirements());
  const loaded = readTarget(options.target);
  const { knownFailing } = loaded.target;
  await using environment = await openEnvironment(loaded);
  const runOnce = () =>
    runServerSuite(all, environment, {
      selection: selectionOf(options),
      ...(knownFailing === "" ? {} : { knownFailures: KnownFailures.read(join(loaded.folder, knownFailing)) }),
      ...(options.concurrency === undefined ? {} : { concurrency: options.concurrency }),
      onResult: (result) => {
        if (options.verbose)
          console.log(`${outcomeOf(result).padEnd(15)} ${String(result.durationMs).padStart(6)} ms  ${result.id}`);
      },
    });
  const report = await runRepeatedly(options.repeat, runOnce);
  writeReports(report, options);
  console.log(summaryText(report, { withTrace: options.trace === true }));
  if (report.results.length === 0) console.error(noCaseFits);
  return report.results.length === 0 ? 2 : exitCodeOf(report);
}
