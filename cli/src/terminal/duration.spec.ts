import { expect, it } from "vitest";
import { durationText, parseDuration } from "./duration.ts";

it("reads a number with a unit", () => {
  expect(["500ms", "10s", "1.5s", "2m", "24h", "7d", "0"].map(parseDuration)).toEqual([
    500, 10_000, 1500, 120_000, 86_400_000, 604_800_000, 0,
  ]);
});

it.each(["10", "", "s", "-1s", "1 s", "1w"])("refuses %j, because its unit would be a guess", (text) => {
  expect(() => parseDuration(text)).toThrow(/unit/);
});

it("writes durations for people", () => {
  expect([12.4, 1240, 25_400].map(durationText)).toEqual(["12 ms", "1.2 s", "25 s"]);
});
