import type { ConfigProblem } from "./config-error.ts";

/** A value that a list has twice. */
export interface Repeated {
  /** Where it stands for the second time. */
  readonly index: number;
  readonly problem: Omit<ConfigProblem, "field">;
}

/** The first value that stands in the list for the second time; undefined if there is none. */
export function firstRepeated(values: readonly string[]): Repeated | undefined {
  const seen = new Set<string>();
  for (const [index, value] of values.entries()) {
    if (seen.has(value)) {
      const name = value === "" ? "empty" : `"${value}"`;
      return { index, problem: { problem: `is ${name}, like an earlier one`, remedy: "give each its own" } };
    }
    seen.add(value);
  }
  return undefined;
}
