import { fromBinary, fromJsonString } from "@bufbuild/protobuf";
import { type ClientReport, ClientReportSchema } from "@fanfare/proto/conformance/v1alpha";

/** A report longer than this is none: an adapter says little of itself. */
const maxLength = 1024 * 1024;
const brace = 0x7b;
const lineFeed = 0x0a;

/** What the first bytes of an adapter are. */
export type FirstReport =
  /** Not enough of them yet. */
  | { readonly kind: "unfinished"; readonly problem: string; readonly remedy: string }
  /** They are no report, and will be none. */
  | { readonly kind: "wrong"; readonly problem: string; readonly remedy: string }
  | { readonly kind: "report"; readonly form: "length-prefixed" | "JSON lines"; readonly report: ClientReport };

/** Reads the first report as adapter.proto has it, and says in plain words what is wrong with the bytes if it is none. */
export function firstReport(bytes: Buffer): FirstReport {
  if (bytes.length === 0) {
    return unfinished("it wrote nothing to its standard output", "Write the report `ready` at once, and flush it.");
  }
  return bytes[0] === brace ? jsonLine(bytes) : prefixed(bytes);
}

function jsonLine(bytes: Buffer): FirstReport {
  const end = bytes.indexOf(lineFeed);
  const remedy = "Write each report as one line of JSON, end it with a line feed, and flush it.";
  if (end === -1) return unfinished(`it began a line of JSON that does not end: ${shown(bytes)}`, remedy);
  try {
    const options = { ignoreUnknownFields: true };
    return {
      kind: "report",
      form: "JSON lines",
      report: fromJsonString(ClientReportSchema, bytes.toString("utf8", 0, end), options),
    };
  } catch (error) {
    const problem = `its first line is no ClientReport: ${String(error)}: ${shown(bytes.subarray(0, end))}`;
    return {
      kind: "wrong",
      problem,
      remedy: 'It has to look so: {"ready":{"client":"…","verbs":["connect","close"]}}',
    };
  }
}

function prefixed(bytes: Buffer): FirstReport {
  const text = /^[\t\n\r\x20-\x7e]{4,}/.test(bytes.toString("latin1"));
  if (text) {
    const remedy = "Standard output is for reports alone: write logs to standard error.";
    return { kind: "wrong", problem: `it wrote a text to its standard output: ${shown(bytes)}`, remedy };
  }
  if (bytes.length < 4) return unfinished(`it wrote ${bytes.length} bytes: ${hex(bytes)}`, lengthRemedy);
  const length = bytes.readUInt32BE();
  if (length === 0 || length > maxLength) {
    const problem = `its first four bytes, ${hex(bytes.subarray(0, 4))}, are the length ${length}`;
    const reversed = bytes.readUInt32LE();
    const order = reversed > 0 && reversed <= bytes.length ? "The bytes stand in reverse order. " : "";
    return { kind: "wrong", problem, remedy: order + lengthRemedy };
  }
  if (bytes.length < 4 + length) {
    const remedy =
      "Count the bytes of the encoded message, without the four of the length, and flush after each report.";
    return unfinished(`it announced a report of ${length} bytes, and wrote ${bytes.length - 4}`, remedy);
  }
  try {
    const report = fromBinary(ClientReportSchema, bytes.subarray(4, 4 + length));
    return { kind: "report", form: "length-prefixed", report };
  } catch (error) {
    const problem = `the ${length} bytes behind the length are no ClientReport: ${String(error)}`;
    return { kind: "wrong", problem, remedy: "Encode fanfare.conformance.v1alpha.ClientReport, nothing around it." };
  }
}

const lengthRemedy =
  "Write the length of each report as four bytes, the highest first, before it; or write JSON lines.";

function unfinished(problem: string, remedy: string): FirstReport {
  return { kind: "unfinished", problem, remedy };
}

function shown(bytes: Buffer): string {
  return JSON.stringify(bytes.toString("utf8", 0, 120));
}

function hex(bytes: Buffer): string {
  return bytes.toString("hex", 0, 16).replace(/(..)(?=.)/g, "$1 ");
}
