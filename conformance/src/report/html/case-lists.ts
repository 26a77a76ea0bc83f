import type { CaseResult, Report } from "@fanfare/proto/conformance/v1alpha";
import { type Outcome, outcomeOf } from "../outcome.ts";
import { reportName } from "../report-name.ts";
import { profileName } from "../summary.ts";
import { casesAnchor } from "./anchors.ts";
import { html, type Markup } from "./markup.ts";

const signs: Readonly<Record<Outcome, readonly [string, string]>> = {
  passed: ["✓", "good"],
  failed: ["✗", "bad"],
  "known failure": ["✗", "known"],
  "unexpected pass": ["✗", "bad"],
  unsupported: ["–", "none"],
  "harness error": ["✗", "bad"],
};

/** Every case of every implementation, folded up. */
export function caseLists(reports: readonly Report[]): Markup {
  return html`<section class="card"><h2>All cases</h2>${reports.map(
    (
      report,
    ) => html`<details class="cases" id="${casesAnchor(report)}"><summary>${reportName(report)} <small>${report.results.length} cases</small></summary>
<ul>${report.results.map(line)}</ul></details>`,
  )}</section>`;
}

function line(result: CaseResult): Markup {
  const outcome = outcomeOf(result);
  const [sign, name] = signs[outcome];
  const why = outcome === "unsupported" ? html` <small>${result.message}</small>` : undefined;
  return html`<li class="${name}"><span title="${outcome}">${sign}</span><code>${result.id}</code>
<div>${result.title}${why}</div><small>${profileName(result.profile)}</small></li>`;
}
