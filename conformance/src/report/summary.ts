import {
  type CaseResult,
  type Profile,
  ProfileSchema,
  type Report,
  Subject,
  TraceKind,
} from "@fanfare/proto/conformance/v1alpha";
import { shortEnumName } from "../cases/enum-name.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";
import { reportName } from "./report-name.ts";
import { textTable } from "./text-table.ts";

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

/** A report for people: what is wrong with each case that is not as it has to be, and counts by profile. */
export function summaryText(report: Report, options: { readonly withTrace: boolean }): string {
  const problems = problemsText(report, options);
  const head = `${reportName(report)}: ${(report.durationMs / 1000).toFixed(1)} s`;
  const rows = countByProfile(report).map(({ profile, counts }) => [profileName(profile), ...columnsOf(counts)]);
  const totals = columnNames.map((_, i) => String(rows.reduce((sum, row) => sum + Number(row[i + 1]), 0)));
  const counts = textTable([["profile", ...columnNames], ...rows, ["all", ...totals]]);
  return [...(problems === "" ? [] : [problems, ""]), head, "", counts].join("\n");
}

/** Problems that are written out where nobody asks for their frames; and how many of them with one message. */
const mostShown = 20;
const mostAlike = 3;

/**
 * What is wrong with each case that is not as it has to be, and with the list of known failures; empty: nothing. Without a trace
 * not more than a person reads.
 */
export function problemsText(report: Report, { withTrace }: { readonly withTrace: boolean }): string {
  const wrong = report.results.filter((result) => !fine.has(outcomeOf(result)));
  const shown = withTrace ? wrong : someOf(wrong);
  const cases = shown.map((result) => problemLines(result, outcomeOf(result), withTrace).join("\n"));
  const left = wrong.length - shown.length;
  const rest = left > 0 ? [`and ${left} more: --trace shows them all, --html and --json write them to a file`] : [];
  const cause = oneCause(report.subject, wrong);
  return [...cases, ...rest, ...(cause === undefined ? [] : [cause]), ...report.listProblems].join("\n\n");
}

const fine: ReadonlySet<Outcome> = new Set(["passed", "unsupported", "known failure"]);

/** The first ones, and few that say the same. */
function someOf(results: readonly CaseResult[]): CaseResult[] {
  const alike = new Map<string, number>();
  const telling = results.filter((result) => {
    const count = (alike.get(saidOf(result)) ?? 0) + 1;
    alike.set(saidOf(result), count);
    return count <= mostAlike;
  });
  return telling.slice(0, mostShown);
}

/** What a result says of its case; one that passes says nothing, and is like no other. */
function saidOf({ message, id }: CaseResult): string {
  return message === "" ? id : message;
}

/** Where half of many cases fail with one message, what is wrong is with what they all need, and no matter of the cases. */
function oneCause(subject: Subject, wrong: readonly CaseResult[]): string | undefined {
  const [most] = [...Map.groupBy(wrong, saidOf).values()].sort((a, b) => b.length - a.length);
  if (most === undefined || most.length < 10 || most.length < wrong.length / 2) return undefined;
  const option = subject === Subject.CLIENT ? "--adapter" : "--target";
  return `${most.length} of ${wrong.length} say the same: look for what is in their way with \`fanfare-conformance doctor ${option} …\``;
}

/** Names of the columns of counts. */
export const columnNames = ["passed", "failed", "known", "unsupported", "errors"];

/** Counts in the order of the columns. */
export function columnsOf(counts: ProfileCounts["counts"]): string[] {
  const { passed, unsupported } = counts;
  const failed = counts.failed + counts["unexpected pass"];
  return [passed, failed, counts["known failure"], unsupported, counts["harness error"]].map(String);
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
