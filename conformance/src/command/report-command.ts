import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { exitCodeOf } from "../report/outcome.ts";
import { parseReport, type ReportPaths, writeReports } from "../report/report-files.ts";
import { summaryText } from "../report/summary.ts";
import { exitCodeHelp } from "./exit-code.ts";

/** `fanfare-conformance report`. */
export function addReportCommand(program: Command): void {
  program
    .command("report")
    .summary("show a report again, or in another format")
    .description("Reads a report written with --json, and shows it; exits as the run did.")
    .argument("<json>", "the report")
    .option("--trace", "show what went over the wire in cases that failed")
    .option("--junit <file>", "write it as JUnit XML")
    .option("--markdown <file>", "write it as Markdown")
    .addHelpText(
      "after",
      `\nExample:\n  fanfare-conformance report report.json --markdown report.md\n\n${exitCodeHelp}`,
    )
    .action((file: string, options: Omit<ReportPaths, "json"> & { readonly trace?: boolean }) => {
      const report = parseReport(readFileSync(file, "utf8"));
      writeReports(report, options);
      console.log(summaryText(report, { withTrace: options.trace === true }));
      process.exitCode = exitCodeOf(report);
    });
}
