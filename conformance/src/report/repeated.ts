import { create } from "@bufbuild/protobuf";
import { type CaseResult, type Report, ReportSchema } from "@fanfare/proto/conformance/v1alpha";
import { type Outcome, outcomeOf } from "./outcome.ts";

/** A case that did not end alike in every run. */
export interface Flake {
  readonly id: string;
  /** How often it had which outcome; those that it never had are left out. */
  readonly counts: Readonly<Partial<Record<Outcome, number>>>;
  /** What it said the first time it was not as it has to be. */
  readonly message: string;
}

const byGravity: readonly Outcome[] = [
  ...(["harness error", "failed", "unexpected pass", "known failure", "unsupported", "passed"] as const),
];

/** Several runs of the same cases as one report: of each case the worst result, and of equal ones the first. */
export function worstOf(reports: readonly Report[]): Report {
  const [first] = reports;
  if (first === undefined) throw new RangeError("there is no run");
  const results = first.results.map(({ id }) => worst(resultsOf(reports, id)));
  const durationMs = reports.reduce((sum, one) => sum + one.durationMs, 0);
  return create(ReportSchema, { ...first, results, durationMs });
}

/** Cases whose outcome was not always the same. */
export function flakesOf(reports: readonly Report[]): Flake[] {
  return (reports[0]?.results ?? []).flatMap(({ id }) => {
    const results = resultsOf(reports, id);
    const counts: Partial<Record<Outcome, number>> = {};
    for (const result of results) counts[outcomeOf(result)] = (counts[outcomeOf(result)] ?? 0) + 1;
    return Object.keys(counts).length < 2 ? [] : [{ id, counts, message: worst(results).message }];
  });
}

/** What several runs showed of flakes, for people. */
export function flakesText(reports: readonly Report[]): string {
  const flakes = flakesOf(reports);
  const lines = flakes.flatMap(({ id, counts, message }) => {
    const parts = Object.entries(counts).map(([outcome, count]) => `${outcome} ${count}`);
    return [`FLAKY ${id}: ${parts.join(", ")}`, `  ${message}`];
  });
  const count = reports[0]?.results.length ?? 0;
  return [...lines, `${count} cases, ${reports.length} times: ${flakes.length || "no"} flaky`].join("\n");
}

function resultsOf(reports: readonly Report[], id: string): CaseResult[] {
  return reports.flatMap(({ results }) => results.filter((one) => one.id === id));
}

function worst(results: readonly CaseResult[]): CaseResult {
  const [found] = results.toSorted((a, b) => byGravity.indexOf(outcomeOf(a)) - byGravity.indexOf(outcomeOf(b)));
  if (found === undefined) throw new RangeError("there is no result");
  return found;
}
