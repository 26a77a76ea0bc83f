import { expect, it } from "vitest";
import { lastingPeak } from "./lasting-peak.ts";

it.each([
  { values: [5, 90, 6, 7, 8, 9, 1], is: 7 },
  { values: [1, 2, 3, 4, 5], is: 3 },
  { values: [4, 2], is: 2 },
  { values: [], is: Number.NaN },
  { values: [1, Number.NaN, 3], is: Number.NaN },
])("of $values in threes is $is", ({ values, is }) => {
  expect(lastingPeak(values, 3)).toBe(is);
});
