import type { Command } from "commander";
import { exitCodeOf } from "../report/outcome.ts";
import { collectReports, type ReportPaths, readReports, writeReports } from "../report/report-files.ts";
import { summaryText } from "../report/summary.ts";
import { exitCodeHelp } from "./exit-code.ts";
import { addReportPaths } from "./report-options.ts";

/** `fanfare-conformance report`. */
export function addReportCommand(program: Command): void {
  const command = program
    .command("report")
    .summary("show reports again, or in another format")
    .description("Reads reports that were written with --json, and shows them as one; exits as the runs did.")
    .argument("<json...>", "the reports")
    .option("--trace", "show what went over the wire in cases that failed");
  addReportPaths(command)
    .addHelpText(
      "after",
      `
Examples:
  fanfare-conformance report report.json --html report.html
  fanfare-conformance report mine.json theirs.json --html both.html

${exitCodeHelp}`,
    )
    .action((files: string[], options: ReportPaths & { readonly trace?: boolean }) => {
      const reports = files.flatMap(readReports);
      writeReports(collectReports(reports), options);
      for (const report of reports) console.log(summaryText(report, { withTrace: options.trace === true }));
      process.exitCode = Math.max(0, ...reports.map(exitCodeOf));
    });
}
