import type { Command } from "commander";
import { loadSuites } from "../cases/load-suites.ts";
import { readRequirements } from "../cases/requirements.ts";
import { runClientSuite } from "../client-mode/run-client-suite.ts";
import { KnownFailures } from "../report/known-failing.ts";
import { exitCodeOf, outcomeOf } from "../report/outcome.ts";
import { type ReportPaths, writeReports } from "../report/report-files.ts";
import { summaryText } from "../report/summary.ts";
import { exitCodeHelp } from "./exit-code.ts";
import { addReportPaths } from "./report-options.ts";
import { addRepeat, runRepeatedly } from "./run-repeatedly.ts";
import { addSelection, noCaseFits, type SelectionOptions, selectionOf } from "./selection-options.ts";
import { parseCount } from "./whole-number.ts";

interface Options extends SelectionOptions, ReportPaths {
  readonly adapter: string;
  readonly knownFailing?: string;
  readonly concurrency?: number;
  readonly patience?: number;
  readonly trace?: boolean;
  readonly verbose?: boolean;
  readonly repeat?: number;
}

/** `fanfare-conformance client`. */
export function addClientCommand(program: Command): void {
  const command = program
    .command("client")
    .summary("hold a client against the protocol")
    .description(
      "Plays a server for a client that is commanded through its adapter (fanfare/conformance/v1alpha/adapter.proto).",
    )
    .requiredOption("-a, --adapter <command>", "the shell command that starts the adapter")
    .option("--known-failing <file>", "cases that are known to fail")
    .option("--concurrency <n>", "cases side by side, each with an adapter of its own (default 8)", parseCount)
    .option("--patience <ms>", "how long to wait for what has to come at once (default 5000)", parseCount)
    .option("--trace", "show what went over the wire in cases that fail")
    .option("--verbose", "print every case as it ends");
  addReportPaths(addRepeat(addSelection(command)))
    .addHelpText(
      "after",
      `
Examples:
  fanfare-conformance client --adapter ./my-adapter
  fanfare-conformance client --adapter 'python3 adapter.py' --case client/resume --trace
  fanfare-conformance client --adapter ./my-adapter --profile core --repeat 20

${exitCodeHelp}`,
    )
    .action(async (options: Options) => {
      process.exitCode = await runClient(options);
    });
}

async function runClient(options: Options): Promise<number> {
  const all = loadSuites(readRequirements());
  const { adapter, knownFailing, concurrency, patience, verbose } = options;
  const client = { adapter, patienceMs: patience ?? 5_000 };
  const runOnce = () =>
    runClientSuite(all, client, {
      selection: selectionOf(options),
      ...(knownFailing === undefined ? {} : { knownFailures: KnownFailures.read(knownFailing) }),
      ...(concurrency === undefined ? {} : { concurrency }),
      onResult: (result) => {
        if (verbose)
          console.log(`${outcomeOf(result).padEnd(15)} ${String(result.durationMs).padStart(6)} ms  ${result.id}`);
      },
    });
  const report = await runRepeatedly(options.repeat, runOnce);
  writeReports(report, options);
  console.log(summaryText(report, { withTrace: options.trace === true }));
  if (report.results.length === 0) console.error(noCaseFits);
  return report.results.length === 0 ? 2 : exitCodeOf(report);
}
