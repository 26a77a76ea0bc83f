import type { ReportCollection } from "@fanfare/proto/conformance/v1alpha";
import { exitCodeOf } from "./outcome.ts";
import { reportName } from "./report-name.ts";
import { columnNames, columnsOf, countByProfile, profileName } from "./summary.ts";
import { textTable } from "./text-table.ts";

/** A run over several implementations: of each, counts by profile, and at the end whether everything is as it has to be. */
export function overviewText({ reports, durationMs }: ReportCollection): string {
  const rows = reports.flatMap((report) =>
    countByProfile(report).map(({ profile, counts }, i) => [
      i === 0 ? reportName(report) : "",
      profileName(profile),
      ...columnsOf(counts),
    ]),
  );
  const totals = columnNames.map((_, i) => String(rows.reduce((sum, row) => sum + Number(row[i + 2]), 0)));
  const table = textTable([["implementation", "profile", ...columnNames], ...rows, ["all", "", ...totals]], 2);
  const bad = reports.filter((report) => exitCodeOf(report) !== 0).map(reportName);
  const verdict = bad.length === 0 ? "everything is as it has to be" : `not as it has to be: ${bad.join(", ")}`;
  return `${table}\n\n${verdict}; ${(durationMs / 1000).toFixed(0)} s`;
}
