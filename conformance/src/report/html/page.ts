import type { ReportCollection } from "@fanfare/proto/conformance/v1alpha";
import type { Requirement } from "../../cases/requirements.ts";
import { type Outcome, outcomeOf } from "../outcome.ts";
import { caseLists } from "./case-lists.ts";
import { html, Markup } from "./markup.ts";
import { matrices } from "./matrix.ts";
import { problemSections } from "./problem.ts";
import { style } from "./style.ts";

/** A run as one page that needs nothing beside itself: no script, no other file. */
export function reportPage(collection: ReportCollection, requirements: ReadonlyMap<string, Requirement>): string {
  const { reports } = collection;
  const problems = problemSections(reports, requirements);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fanfare conformance</title>
<style>${new Markup(style)}</style>
</head>
<body>
${header(collection)}
<main>
${matrices(reports)}
${problems}
${caseLists(reports)}
</main>
</body>
</html>
`;
  return page.text;
}

function header({ reports, startedAtMs, durationMs }: ReportCollection): Markup {
  const outcomes = reports.flatMap(({ results }) => results.map(outcomeOf));
  const count = (...wanted: Outcome[]) => outcomes.filter((one) => wanted.includes(one)).length;
  const bad = count("failed", "unexpected pass", "harness error") + reports.flatMap((one) => one.listProblems).length;
  const verdict =
    bad === 0
      ? html`<strong class="good">✓ as it has to be</strong>`
      : html`<strong class="bad">✗ ${bad} to look at</strong>`;
  const when = new Date(Number(startedAtMs)).toISOString().replace("T", " ").slice(0, 16);
  const known = count("known failure");
  return html`<header><h1>Fanfare conformance</h1>${verdict}
<p>${count("passed")} passed, ${count("failed", "unexpected pass", "harness error")} failed, ${known > 0 ? `${known} known to fail, ` : undefined}${count("unsupported")} unsupported · ${when} UTC · ${(durationMs / 1000).toFixed(0)} s</p></header>`;
}
