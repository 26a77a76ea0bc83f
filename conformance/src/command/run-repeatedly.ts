import type { Report } from "@fanfare/proto/conformance/v1alpha";
import type { Command } from "commander";
import { exitCodeOf } from "../report/outcome.ts";
import { flakesText, worstOf } from "../report/repeated.ts";
import { parseCount } from "./whole-number.ts";

/** Adds `--repeat`. */
export function addRepeat(command: Command): Command {
  return command.option("--repeat <n>", "run everything so often, and tell which cases do not end alike", parseCount);
}

/** Runs something so often, telling how far it is; one report with the worst of each case. */
export async function runRepeatedly(times: number | undefined, run: () => Promise<Report>): Promise<Report> {
  if (times === undefined) return run();
  const reports: Report[] = [];
  for (let n = 1; n <= times; n++) {
    const report = await run();
    reports.push(report);
    const verdict = exitCodeOf(report) === 0 ? "passed" : "FAILED";
    console.log(`run ${n} of ${times}: ${verdict}, ${(report.durationMs / 1000).toFixed(1)} s`);
  }
  console.log(`${flakesText(reports)}\n`);
  return worstOf(reports);
}
