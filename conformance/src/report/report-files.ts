import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { create, fromJson, type JsonValue, toJsonString } from "@bufbuild/protobuf";
import {
  type Report,
  type ReportCollection,
  ReportCollectionSchema,
  ReportSchema,
} from "@fanfare/proto/conformance/v1alpha";
import { readGivenFile } from "../cases/given-file.ts";
import { readRequirements } from "../cases/requirements.ts";
import { FileError } from "../cases/yaml-source.ts";
import { reportPage } from "./html/page.ts";
import { junitXml } from "./junit.ts";
import { reportMarkdown } from "./markdown.ts";

/** Where to write a report. */
export interface ReportPaths {
  readonly json?: string;
  readonly junit?: string;
  readonly markdown?: string;
  readonly html?: string;
}

/** Writes what one implementation did, or several, in the formats that are asked for. */
export function writeReports(found: Report | ReportCollection, paths: ReportPaths): void {
  const collection = isOne(found) ? collectReports([found]) : found;
  const { reports } = collection;
  if (paths.json) write(paths.json, jsonText(found));
  if (paths.junit) write(paths.junit, junitXml(reports));
  if (paths.markdown) write(paths.markdown, reportMarkdown(reports));
  if (paths.html) write(paths.html, reportPage(collection, readRequirements()));
}

/** Several reports as one. */
export function collectReports(reports: readonly Report[]): ReportCollection {
  const begins = reports.map(({ startedAtMs }) => Number(startedAtMs));
  const ends = reports.map(({ startedAtMs, durationMs }) => Number(startedAtMs) + durationMs);
  const startedAtMs = Math.min(...begins);
  const durationMs = Math.max(...ends) - startedAtMs;
  return create(ReportCollectionSchema, {
    version: 1,
    startedAtMs: BigInt(startedAtMs),
    durationMs,
    reports: [...reports],
  });
}

/** Reads a file that `--json` wrote. @throws FileError when it is none, or of a version that this runner does not know */
export function readReports(file: string): Report[] {
  const text = readGivenFile(file);
  try {
    return parseReports(text);
  } catch (error) {
    const problem = `is no report that --json wrote: ${error instanceof Error ? error.message : String(error)}`;
    throw new FileError([{ file, path: "", problem }]);
  }
}

/** Reads what `--json` wrote, of one implementation or of several. @throws when it is none, or of a version that this runner does not know */
export function parseReports(text: string): Report[] {
  const json = JSON.parse(text) as JsonValue;
  const options = { ignoreUnknownFields: true };
  const isCollection = typeof json === "object" && json !== null && "reports" in json;
  const { version, reports } = isCollection
    ? fromJson(ReportCollectionSchema, json, options)
    : oneReport(fromJson(ReportSchema, json, options));
  if (version !== 1) throw new Error(`the report is of version ${version}; this runner reads version 1`);
  return reports;
}

function oneReport(report: Report) {
  return { version: report.version, reports: [report] };
}

function jsonText(found: Report | ReportCollection): string {
  const options = { prettySpaces: 1 };
  const text = isOne(found)
    ? toJsonString(ReportSchema, found, options)
    : toJsonString(ReportCollectionSchema, found, options);
  return `${text}\n`;
}

function isOne(found: Report | ReportCollection): found is Report {
  return found.$typeName === ReportSchema.typeName;
}

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
