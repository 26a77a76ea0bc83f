import type { CaseResult, Report } from "@fanfare/proto/conformance/v1alpha";
import { escapeMarkup } from "./escape.ts";
import { outcomeOf } from "./outcome.ts";
import { reportName } from "./report-name.ts";
import { profileName } from "./summary.ts";

/** Reports as JUnit XML: a suite for each implementation and profile; what is unsupported or known to fail is skipped. */
export function junitXml(reports: readonly Report[]): string {
  const suites = reports.flatMap(suitesOf);
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${suites.join("")}</testsuites>\n`;
}

function suitesOf(report: Report): string[] {
  const profiles = [...new Set(report.results.map(({ profile }) => profile))];
  return profiles.map((profile) => {
    const results = report.results.filter((one) => one.profile === profile);
    const name = `${reportName(report)} ${profileName(profile)}`;
    return `<testsuite name="${escapeMarkup(name)}" ${countsOf(results)}>\n${results.map(testcase).join("")}</testsuite>\n`;
  });
}

function countsOf(results: readonly CaseResult[]): string {
  const count = (...outcomes: string[]) => results.filter((one) => outcomes.includes(outcomeOf(one))).length;
  const failures = count("failed", "unexpected pass");
  const skipped = count("unsupported", "known failure");
  return `tests="${results.length}" failures="${failures}" errors="${count("harness error")}" skipped="${skipped}"`;
}

function testcase(result: CaseResult): string {
  const seconds = (result.durationMs / 1000).toFixed(3);
  const head = `<testcase name="${escapeMarkup(result.id)}" classname="${escapeMarkup(profileName(result.profile))}" time="${seconds}"`;
  const body = testcaseBody(result);
  return body === "" ? `${head}/>\n` : `${head}>${body}</testcase>\n`;
}

function testcaseBody(result: CaseResult): string {
  const message = escapeMarkup(result.message);
  const specs = escapeMarkup(result.brokenSpec || result.specs.join(" "));
  switch (outcomeOf(result)) {
    case "passed":
      return "";
    case "failed":
      return `<failure message="${message}" type="${specs}">${traceOf(result)}</failure>`;
    case "unexpected pass":
      return `<failure message="it is known to fail, and passes" type="${specs}"/>`;
    case "known failure":
      return `<skipped message="known failure: ${message}"/>`;
    case "unsupported":
      return `<skipped message="${message}"/>`;
    case "harness error":
      return `<error message="${message}">${traceOf(result)}</error>`;
  }
}

function traceOf({ trace }: CaseResult): string {
  return escapeMarkup(trace.map(({ atUs, actor, text }) => `${atUs} ${actor} ${text}`).join("\n"));
}
