import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fromJsonString, toJsonString } from "@bufbuild/protobuf";
import { type Report, ReportSchema } from "@fanfare/proto/conformance/v1alpha";
import { junitXml } from "./junit.ts";
import { reportMarkdown } from "./markdown.ts";

/** Where to write a report. */
export interface ReportPaths {
  readonly json?: string;
  readonly junit?: string;
  readonly markdown?: string;
}

/** Writes a report in the formats that are asked for. */
export function writeReports(report: Report, paths: ReportPaths): void {
  if (paths.json) write(paths.json, `${toJsonString(ReportSchema, report, { prettySpaces: 1 })}\n`);
  if (paths.junit) write(paths.junit, junitXml(report));
  if (paths.markdown) write(paths.markdown, reportMarkdown(report));
}

/** Reads a report. @throws when it is none, or of a version that this runner does not know */
export function parseReport(text: string): Report {
  const report = fromJsonString(ReportSchema, text, { ignoreUnknownFields: true });
  if (report.version !== 1) throw new Error(`the report is of version ${report.version}; this runner reads version 1`);
  return report;
}

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
