import { create } from "@bufbuild/protobuf";
import { CaseStatus, Profile, ReportSchema, Subject, TraceKind } from "@fanfare/proto/conformance/v1alpha";
import { describe, expect, it } from "vitest";
import { readRequirements } from "../../cases/requirements.ts";
import { collectReports } from "../report-files.ts";
import { reportPage } from "./page.ts";

const server = create(ReportSchema, {
  version: 1,
  implementation: "go <1>",
  subject: Subject.SERVER,
  results: [
    { id: "core/a", title: "A", profile: Profile.CORE, status: CaseStatus.PASS },
    {
      id: "core/b",
      title: "B",
      profile: Profile.CORE,
      status: CaseStatus.FAIL,
      specs: ["FF-HB-003"],
      step: 2,
      expected: "on: ada\nexpect: {}\n",
      message: 'there came {"error":"</pre><script>"}',
      trace: [
        { atUs: 1500n, actor: "ada", kind: TraceKind.SENT, text: '[{"id":7,"ping":{"sentAtUs":"5","extra":"0"}}]' },
        { atUs: 2500n, actor: "ada", kind: TraceKind.RECEIVED, text: '[{"id":0,"error":{"code":"MALF' },
      ],
    },
    { id: "rpc/c", profile: Profile.RPC, status: CaseStatus.UNSUPPORTED, message: "the profile RPC is not claimed" },
  ],
});

function page(...reports: (typeof server)[]): string {
  return reportPage(collectReports(reports), readRequirements());
}

describe("reportPage", () => {
  it("needs nothing beside itself, and runs nothing", () => {
    expect(page(server)).not.toMatch(/<script|<link|src=|url\(|@import|https?:/);
    expect(page(server)).toContain("&lt;/pre&gt;&lt;script&gt;");
  });

  it("shows a row for each implementation, with what it failed and what it does not support", () => {
    const text = page(server).replaceAll(/\s+/g, " ");
    expect(text).toContain('<th scope="row">go &lt;1&gt;');
    expect(text).toContain("✗ 1 failed</a><small>1 passed</small>");
    expect(text).toContain("–</a><small>1 unsupported</small>");
  });

  it("shows of a failure the requirement, the step, what was observed, and the frames", () => {
    const text = page(server);
    expect(text).toContain("<b>FF-HB-003</b> A receiver MUST answer each <code>ping</code>");
    expect(text).toContain("<pre>on: ada\nexpect: {}</pre>");
    expect(text).toContain("there came {&quot;error&quot;");
    expect(text).toContain(
      '<span class="kind">ping</span> <span class="id">#7</span> <code>{&quot;sentAtUs&quot;:&quot;5&quot;}</code>',
    );
  });

  it("shows what was cut from a trace as it is", () => {
    expect(page(server)).toContain("<code>[{&quot;id&quot;:0,&quot;error&quot;:{&quot;code&quot;:&quot;MALF</code>");
  });

  it("puts pairs into a table of clients by servers", () => {
    const pair = create(ReportSchema, {
      version: 1,
      implementation: "node-sdk",
      peer: "go",
      subject: Subject.PAIR,
      results: [{ id: "pair/a", profile: Profile.CORE, status: CaseStatus.PASS }],
    });
    const text = page(pair);
    expect(text).toContain("Clients with servers");
    expect(text).toContain('<a href="#cases-node-sdk-with-go">✓ 1</a>');
    expect(text).not.toContain("<h2>Servers</h2>");
  });

  it("says that everything is as it has to be only if it is", () => {
    const good = create(ReportSchema, { version: 1, results: [{ id: "core/a", status: CaseStatus.PASS }] });
    expect(page(good)).toContain("✓ as it has to be");
    expect(page(good, server)).toContain("✗ 1 to look at");
    const stale = create(ReportSchema, { ...good, listProblems: ["x is known to fail and is no case"] });
    expect(page(stale)).toContain("✗ 1 to look at");
  });
});
