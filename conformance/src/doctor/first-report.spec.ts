import { create } from "@bufbuild/protobuf";
import { ClientReportSchema } from "@fanfare/proto/conformance/v1alpha";
import { describe, expect, it } from "vitest";
import { framed } from "../adapters/length-prefixed.ts";
import { type FirstReport, firstReport } from "./first-report.ts";

const report = create(ClientReportSchema, { report: { case: "ready", value: { client: "mine" } } });
const bytes = Buffer.from(framed(ClientReportSchema, report));

function told(found: FirstReport): string {
  return found.kind === "report" ? "" : `${found.kind}: ${found.problem} ${found.remedy}`;
}

describe("firstReport", () => {
  it.each([
    ["length-prefixed", bytes],
    ["JSON lines", Buffer.from('{"ready":{"client":"mine","later":true}}\n')],
  ])("reads %s", (form, input) => {
    expect(firstReport(input)).toEqual({ kind: "report", form, report });
  });

  it.each([
    ["nothing", Buffer.alloc(0), /^unfinished: it wrote nothing/],
    ["half a length", bytes.subarray(0, 2), /^unfinished: it wrote 2 bytes: 00 00/],
    ["half a report", bytes.subarray(0, 7), /^unfinished: it announced a report of 8 bytes, and wrote 3/],
    ["half a line", Buffer.from('{"ready"'), /^unfinished: it began a line of JSON that does not end/],
    [
      "a length in reverse order",
      Buffer.concat([Buffer.from([8, 0, 0, 0]), bytes.subarray(4)]),
      /^wrong: .*reverse order/,
    ],
    ["a message without its length", bytes.subarray(4), /^wrong: its first four bytes, 0a 06 0a 04, are the length/],
    [
      "a length before something else",
      Buffer.from([0, 0, 0, 2, 0xff, 0xff]),
      /^wrong: the 2 bytes behind the length are no/,
    ],
    ["a line that is no report", Buffer.from('{"ready":7}\n'), /^wrong: its first line is no ClientReport/],
    ["a text", Buffer.from("listening…"), /^wrong: it wrote a text to its standard output: "listening…"/],
  ])("says what %s is", (_, input, problem) => {
    expect(told(firstReport(input))).toMatch(problem);
  });
});
