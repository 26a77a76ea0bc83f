import type { Command } from "commander";

/** Adds where to write what was found; `ReportPaths` are the values. */
export function addReportPaths(command: Command): Command {
  return command
    .option("--html <file>", "write the report as a page: a matrix, and each failure with its frames")
    .option("--json <file>", "write it as JSON")
    .option("--junit <file>", "write it as JUnit XML")
    .option("--markdown <file>", "write it as Markdown");
}
