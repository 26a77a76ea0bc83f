import { type Report, Subject } from "@fanfare/proto/conformance/v1alpha";
import { countByProfile, type ProfileCounts, profileName } from "../summary.ts";
import { casesAnchor, problemsAnchor } from "./anchors.ts";
import { html, type Markup } from "./markup.ts";

type Counts = ProfileCounts["counts"];

/** Tables of what each implementation, and each pair of a client and a server, passed. */
export function matrices(reports: readonly Report[]): Markup {
  const subjects = [
    ["Servers", Subject.SERVER],
    ["Clients", Subject.CLIENT],
  ] as const;
  const tables = subjects.flatMap(([title, subject]) => {
    const own = reports.filter((one) => one.subject === subject && one.peer === "");
    return own.length === 0 ? [] : [profileTable(title, own)];
  });
  const pairs = reports.filter(({ peer }) => peer !== "");
  return html`${tables}${pairs.length === 0 ? undefined : pairTable(pairs)}`;
}

function profileTable(title: string, reports: readonly Report[]): Markup {
  const counted = reports.map((report) => ({ report, byProfile: countByProfile(report) }));
  const profiles = [...new Set(counted.flatMap(({ byProfile }) => byProfile.map(({ profile }) => profile)))].sort(
    (a, b) => a - b,
  );
  return html`<section class="card"><h2>${title}</h2><div class="scroll"><table class="matrix">
<thead><tr><th scope="col">implementation</th><th scope="col">all</th>${profiles.map((one) => html`<th scope="col">${profileName(one)}</th>`)}</tr></thead>
<tbody>${counted.map(
    ({ report, byProfile }) => html`<tr>
<th scope="row">${report.implementation}<small>${seconds(report.durationMs)}</small></th>
${cell(report, totalOf(byProfile))}${profiles.map((profile) => cell(report, byProfile.find((one) => one.profile === profile)?.counts))}
</tr>`,
  )}</tbody></table></div></section>`;
}

function pairTable(pairs: readonly Report[]): Markup {
  const clients = [...new Set(pairs.map(({ implementation }) => implementation))];
  const servers = [...new Set(pairs.map(({ peer }) => peer))];
  const pairCell = (client: string, server: string) => {
    const report = pairs.find(({ implementation, peer }) => implementation === client && peer === server);
    return report === undefined ? html`<td class="none"></td>` : cell(report, totalOf(countByProfile(report)));
  };
  return html`<section class="card"><h2>Clients with servers</h2><div class="scroll"><table class="matrix">
<thead><tr><th scope="col">client</th>${servers.map((one) => html`<th scope="col">${one}</th>`)}</tr></thead>
<tbody>${clients.map(
    (client) => html`<tr><th scope="row">${client}</th>${servers.map((server) => pairCell(client, server))}</tr>`,
  )}</tbody></table></div></section>`;
}

function cell(report: Report, counts: Counts | undefined): Markup {
  if (counts === undefined) return html`<td class="none"></td>`;
  const bad = counts.failed + counts["unexpected pass"] + counts["harness error"];
  const notes = [
    counts["known failure"] > 0 ? `${counts["known failure"]} known to fail` : "",
    counts.unsupported > 0 && counts.passed + bad > 0 ? `${counts.unsupported} unsupported` : "",
  ].filter((one) => one !== "");
  const note = notes.length === 0 ? undefined : html`<small>${notes.join(", ")}</small>`;
  if (bad > 0) {
    const href = `#${problemsAnchor(report)}`;
    return html`<td class="bad"><a href="${href}">✗ ${bad} failed</a><small>${counts.passed} passed</small>${note}</td>`;
  }
  const href = `#${casesAnchor(report)}`;
  if (counts.passed > 0) return html`<td class="good"><a href="${href}">✓ ${counts.passed}</a>${note}</td>`;
  const what = counts["known failure"] > 0 ? note : html`<small>${counts.unsupported} unsupported</small>`;
  return html`<td class="none"><a href="${href}">–</a>${what}</td>`;
}

function totalOf(byProfile: readonly ProfileCounts[]): Counts | undefined {
  return byProfile.reduce<Counts | undefined>(
    (sum, { counts }) => (sum === undefined ? counts : added(sum, counts)),
    undefined,
  );
}

function added(a: Counts, b: Counts): Counts {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    "known failure": a["known failure"] + b["known failure"],
    "unexpected pass": a["unexpected pass"] + b["unexpected pass"],
    unsupported: a.unsupported + b.unsupported,
    "harness error": a["harness error"] + b["harness error"],
  };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
