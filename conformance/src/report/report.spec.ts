import { mkdtempDisposableSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toJsonString } from "@bufbuild/protobuf";
import { CaseStatus, Profile, ReportCollectionSchema, ReportSchema, Subject } from "@fanfare/proto/conformance/v1alpha";
import { describe, expect, it } from "vitest";
import { FileError } from "../cases/yaml-source.ts";
import { junitXml } from "./junit.ts";
import { reportMarkdown } from "./markdown.ts";
import { collectReports, parseReports, readReports } from "./report-files.ts";
import { countByProfile, summaryText } from "./summary.ts";

const report = create(ReportSchema, {
  version: 1,
  implementation: "x & y",
  subject: Subject.SERVER,
  results: [
    { id: "core/a", title: "A", profile: Profile.CORE, status: CaseStatus.PASS, durationMs: 1500 },
    { id: "core/b", profile: Profile.CORE, status: CaseStatus.FAIL, message: 'a "<b>"', specs: ["FF-HS-013"], step: 2 },
    { id: "core/c", profile: Profile.CORE, status: CaseStatus.FAIL, message: "as ever", knownFailing: true },
    { id: "rpc/d", profile: Profile.RPC, status: CaseStatus.UNSUPPORTED, message: "not claimed" },
    { id: "rpc/e", profile: Profile.RPC, status: CaseStatus.HARNESS_ERROR, message: "broke" },
  ],
});

describe("reports", () => {
  it("count outcomes by profile", () => {
    expect(countByProfile(report).map(({ counts }) => Object.values(counts))).toEqual([
      [1, 1, 1, 0, 0, 0],
      [0, 0, 0, 0, 1, 1],
    ]);
  });

  it("say as text what is wrong, and nothing about what is not", () => {
    const text = summaryText(report, { withTrace: false });
    expect(text).toContain("FAILED core/b (step 2)");
    expect(text).toContain("HARNESS ERROR rpc/e");
    expect(text).not.toContain("core/a");
  });

  it("say as text what many cases have in common once, and where to look", () => {
    const failing = (id: string, message: string) => ({ id, profile: Profile.CORE, status: CaseStatus.FAIL, message });
    const alike = Array.from({ length: 30 }, (_, i) => failing(`core/alike-${i}`, "there is no welcome"));
    const others = Array.from({ length: 29 }, (_, i) => failing(`core/other-${i}`, `message ${i}`));
    const found = create(ReportSchema, { version: 1, subject: Subject.SERVER, results: [...alike, ...others] });
    const text = summaryText(found, { withTrace: false });
    expect(text.match(/there is no welcome/g)?.length).toBe(3);
    expect(text.match(/^FAILED /gm)?.length).toBe(20);
    expect(text).toContain("and 39 more: --trace shows them all");
    expect(text).toContain("30 of 59 say the same");
    expect(text).toContain("doctor --target");
    expect(summaryText(found, { withTrace: true }).match(/^FAILED /gm)?.length).toBe(59);
    const few = create(ReportSchema, { version: 1, subject: Subject.SERVER, results: others });
    expect(summaryText(few, { withTrace: false })).not.toContain("say the same");
  });

  it("are valid JUnit with failures, errors and skipped cases", () => {
    const xml = junitXml([report]);
    expect(xml).toContain('<testsuite name="x &amp; y core" tests="3" failures="1" errors="0" skipped="1">');
    expect(xml).toContain('<testcase name="core/a" classname="core" time="1.500"/>');
    expect(xml).toContain('message="a &quot;&lt;b&gt;&quot;"');
  });

  it("are Markdown with a row a profile", () => {
    expect(reportMarkdown([report])).toContain("| core | 1 | 1 | 1 | 0 | 0 |");
  });

  it("of another version are refused", () => {
    expect(() => parseReports('{"version":2}')).toThrow("version 2");
    expect(() => parseReports('{"version":2,"reports":[]}')).toThrow("version 2");
    expect(parseReports('{"version":1,"later":true}').length).toBe(1);
  });

  it.each([
    ["no JSON", "{"],
    ["no report", "{}"],
    ["a list", "[]"],
    ["nothing", "null"],
    ["a report of nobody knows what", '{"version":1,"results":7}'],
  ])("are refused by the name of their file when it has %s", (_, text) => {
    using folder = mkdtempDisposableSync(join(tmpdir(), "fanfare-report-"));
    const file = join(folder.path, "report.json");
    expect(() => readReports(file)).toThrow(`${file}: there is no such file`);
    writeFileSync(file, text);
    expect(() => readReports(file)).toThrow(FileError);
    expect(() => readReports(file)).toThrow(`${file}: is no report that --json wrote: `);
    expect(() => readReports(folder.path)).toThrow(`${folder.path}: cannot be read: EISDIR`);
  });

  it("are read one by one and together", () => {
    const collection = collectReports([
      report,
      create(ReportSchema, { ...report, startedAtMs: 9_000n, durationMs: 500 }),
    ]);
    expect(collection).toMatchObject({ startedAtMs: 0n, durationMs: 9_500 });
    expect(parseReports(toJsonString(ReportCollectionSchema, collection))).toEqual(collection.reports);
    expect(parseReports(toJsonString(ReportSchema, report))).toEqual([report]);
  });
});
