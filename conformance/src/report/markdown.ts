import type { CaseResult, Report } from "@fanfare/proto/conformance/v1alpha";
import { outcomeOf } from "./outcome.ts";
import { reportName } from "./report-name.ts";
import { countByProfile, profileName } from "./summary.ts";

/** Reports as Markdown: of each, counts by profile, then what failed. */
export function reportMarkdown(reports: readonly Report[]): string {
  return reports.map(section).join("\n\n");
}

function section(report: Report): string {
  const rows = countByProfile(report).map(
    ({ profile, counts }) =>
      `| ${profileName(profile)} | ${counts.passed} | ${counts.failed + counts["unexpected pass"]} | ${counts["known failure"]} | ${counts.unsupported} | ${counts["harness error"]} |`,
  );
  const problems = report.results.filter((one) => !["passed", "unsupported"].includes(outcomeOf(one)));
  return [
    `# Conformance of ${reportName(report)}`,
    "",
    "| profile | passed | failed | known to fail | unsupported | harness errors |",
    "|---|---|---|---|---|---|",
    ...rows,
    "",
    ...report.listProblems.map((problem) => `- ${problem}`),
    ...problems.flatMap(problemSection),
  ].join("\n");
}

function problemSection(result: CaseResult): string[] {
  const specs = result.brokenSpec || result.specs.join(" ");
  return [`## ${result.id}: ${outcomeOf(result)}`, "", `${result.title} (${specs})`, "", `> ${result.message}`, ""];
}
