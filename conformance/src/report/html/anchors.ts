import type { Report } from "@fanfare/proto/conformance/v1alpha";
import { reportName } from "../report-name.ts";

/** Where a page shows what an implementation did not pass. */
export function problemsAnchor(report: Report): string {
  return `problems-${slug(report)}`;
}

/** Where a page lists an implementation's cases. */
export function casesAnchor(report: Report): string {
  return `cases-${slug(report)}`;
}

function slug(report: Report): string {
  return reportName(report).replaceAll(/[^\w.-]+/g, "-");
}
