import { readFileSync } from "node:fs";
import { type SatRec, twoline2satrec } from "satellite.js";

/** Orbital elements, as they were measured at one moment. */
export interface ElementSet {
  /** What they are of. */
  readonly name: string;
  /** When they were measured. */
  readonly epoch: Date;
  /** For SGP4. */
  readonly satrec: SatRec;
}

const julianDayOf1970 = 2_440_587.5;
const dayMs = 86_400_000;

/**
 * Reads a two-line element set with its name in a line before it. Lines that begin with `#` are comments.
 * @throws Error that says what is wrong with the text
 */
export function parseElementSet(text: string): ElementSet {
  const lines = text
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "" && !line.startsWith("#"));
  const [name = "", first = "", second = ""] = lines;
  if (lines.length !== 3 || !first.startsWith("1 ") || !second.startsWith("2 ")) {
    throw new Error("an element set is a name, a line that begins with 1 and a line that begins with 2");
  }
  for (const line of [first, second]) {
    if (line.length !== 69 || checksum(line) !== line[68]) throw new Error(`the checksum does not fit: ${line}`);
  }
  const satrec = twoline2satrec(first, second);
  return { name, epoch: new Date((satrec.jdsatepoch - julianDayOf1970) * dayMs), satrec };
}

/** The element set beside this file. */
export function readElementSet(): ElementSet {
  return parseElementSet(readFileSync(new URL("elements.txt", import.meta.url), "utf8"));
}

/** Sum of the digits modulo 10, a minus counts as 1. */
function checksum(line: string): string {
  const digits = Array.from(line.slice(0, 68), (character) => (character === "-" ? 1 : Number(character) || 0));
  return String(digits.reduce((sum, digit) => sum + digit, 0) % 10);
}
