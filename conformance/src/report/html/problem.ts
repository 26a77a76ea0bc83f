import type { CaseResult, Report, Subject } from "@fanfare/proto/conformance/v1alpha";
import type { Requirement } from "../../cases/requirements.ts";
import { type Outcome, outcomeOf } from "../outcome.ts";
import { reportName } from "../report-name.ts";
import { profileName } from "../summary.ts";
import { problemsAnchor } from "./anchors.ts";
import { html, type Markup } from "./markup.ts";
import { traceSection } from "./trace.ts";

/** Failures past this are folded up. */
const mostOpen = 3;
const problems: ReadonlySet<Outcome> = new Set(["failed", "unexpected pass", "harness error", "known failure"]);

/** What each implementation did not pass: expected, observed, and what went over the wire. */
export function problemSections(reports: readonly Report[], requirements: ReadonlyMap<string, Requirement>): Markup[] {
  return reports.flatMap((report) => {
    const own = report.results
      .filter((one) => problems.has(outcomeOf(one)))
      .sort((a, b) => Number(outcomeOf(a) === "known failure") - Number(outcomeOf(b) === "known failure"));
    if (own.length === 0 && report.listProblems.length === 0) return [];
    return [
      html`<section class="card" id="${problemsAnchor(report)}"><h2>${reportName(report)}: what is not as it has to be</h2>
${report.listProblems.map((text) => html`<p class="list-problem">${text}</p>`)}
${own.map((one, i) => problem(one, { subject: report.subject, requirements, isOpen: i < mostOpen }))}</section>`,
    ];
  });
}

interface ProblemOptions {
  readonly subject: Subject;
  readonly requirements: ReadonlyMap<string, Requirement>;
  readonly isOpen: boolean;
}

function problem(result: CaseResult, { subject, requirements, isOpen }: ProblemOptions): Markup {
  const outcome = outcomeOf(result);
  const isKnown = outcome === "known failure";
  const specs = result.brokenSpec === "" ? result.specs : [result.brokenSpec];
  const open = isOpen && !isKnown ? html` open` : undefined;
  return html`<details class="problem"${open}><summary><span class="badge ${isKnown ? "known" : "bad"}">${outcome}</span>
<code>${result.id}</code> <span>${result.title}</span></summary>
<dl>
<dt>${specs.length > 1 ? "Requirements" : "Requirement"}</dt>
<dd>${specs.map((id) => requirementText(id, requirements.get(id)))}${result.brokenSpec === "" ? undefined : html`<p class="muted">It holds in every case.</p>`}</dd>
${expected(result)}
<dt>Observed</dt><dd><pre>${outcome === "unexpected pass" ? "It passes. Take it off the list of known failures." : result.message}</pre></dd>
<dt>Profile</dt><dd>${profileName(result.profile)}, ${(result.durationMs / 1000).toFixed(2)} s</dd>
</dl>
${traceSection(result.trace, subject)}</details>`;
}

function expected({ expected: step, step: number, brokenSpec }: CaseResult): Markup | undefined {
  if (step === "") return undefined;
  const term = brokenSpec === "" ? "Expected" : "Meanwhile";
  return html`<dt>${term}</dt><dd><p class="muted">Step ${number} of the case:</p><pre>${step.trimEnd()}</pre></dd>`;
}

function requirementText(id: string, requirement: Requirement | undefined): Markup {
  const text = requirement?.text ?? "is not in this runner's protocol text";
  const parts = text.split("`").map((part, i) => (i % 2 === 1 ? html`<code>${part}</code>` : html`${part}`));
  return html`<p><b>${id}</b> ${parts}</p>`;
}
