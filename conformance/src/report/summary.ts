import {
  type CaseResult,
  type Profile,
  ProfileSchema,
  type Report,
  TraceKind,
} from "@fanfare/proto/conformance/v1alpha";
import { shortEnumName } from "../cases/enum-name.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";
import { reportName } from "./report-name.ts";

/** The short name of a profile, in lower case. */
export function profileName(profile: Profile): string {
  return shortEnumName(ProfileSchema, ProfileSchema.value[profile]?.name ?? "").toLowerCase();
}

/** How many results a profile has of each outcome. */
export interface ProfileCounts {
  readonly profile: Profile;
  readonly counts: Readonly<Record<Outcome, number>>;
}

/** Counts by profile, in the profiles' order. */
export function countByProfile({ results }: Report): ProfileCounts[] {
  const byProfile = new Map<Profile, Record<Outcome, number>>();
  for (const result of results) {
    const counts = byProfile.get(result.profile) ?? emptyCounts();
    counts[outcomeOf(result)]++;
    byProfile.set(result.profile, counts);
  }
  return [...byProfile].sort(([a], [b]) => a - b).map(([profile, counts]) => ({ profile, counts }));
}

function emptyCounts(): Record<Outcome, number> {
  return { passed: 0, failed: 0, "known failure": 0, "unexpected pass": 0, unsupported: 0, "harness error": 0 };
}

const traceMarks: Record<TraceKind, string> = {
  [TraceKind.UNSPECIFIED]: "?",
  [TraceKind.SENT]: "->",
  [TraceKind.RECEIVED]: "<-",
  [TraceKind.CONNECTION]: "--",
  [TraceKind.NOTE]: "##",
};

/** A report for people: counts by profile, and what is wrong with each case that is not as it has to be. */
export function summaryText(report: Report, options: { readonly withTrace: boolean }): string {
  const lines: string[] = [];
  for (const result of report.results) {
    const outcome = outcomeOf(result);
    if (outcome === "passed" || outcome === "unsupported" || outcome === "known failure") continue;
    lines.push(...problemLines(result, outcome, options.withTrace), "");
  }
  lines.push(...report.listProblems, `${reportName(report)}: ${(report.durationMs / 1000).toFixed(1)} s`, "");
  const header = ["profile", "passed", "failed", "known", "unsupported", "errors"];
  const rows = countByProfile(report).map(({ profile, counts }) => [
    profileName(profile),
    String(counts.passed),
    String(counts.failed + counts["unexpected pass"]),
    String(counts["known failure"]),
    String(counts.unsupported),
    String(counts["harness error"]),
  ]);
  const totals = header.map((_, i) => (i === 0 ? "all" : String(rows.reduce((sum, row) => sum + Number(row[i]), 0))));
  lines.push(...table([header, ...rows, totals]));
  return lines.join("\n");
}

function problemLines(result: CaseResult, outcome: Outcome, withTrace: boolean): string[] {
  const where = result.step === 0 ? "" : ` (step ${result.step})`;
  const spec = result.brokenSpec === "" ? result.specs.join(" ") : `${result.brokenSpec}, which holds in every case`;
  const lines = [`${outcome.toUpperCase()} ${result.id}${where}: ${result.title}`, `  ${spec}`];
  lines.push(
    `  ${outcome === "unexpected pass" ? "it passes: take it off the list of known failures" : result.message}`,
  );
  if (!withTrace) return lines;
  for (const { atUs, actor, kind, text } of result.trace) {
    lines.push(`  ${(Number(atUs) / 1000).toFixed(1).padStart(9)} ms ${actor.padEnd(8)} ${traceMarks[kind]} ${text}`);
  }
  return lines;
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows.map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  "),
  );
}
