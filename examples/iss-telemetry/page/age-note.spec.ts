import { expect, it } from "vitest";
import { ageNote } from "./age-note.ts";

const epoch = new Date("2026-08-25T15:51:11Z");
const note = (at: string) => ageNote("ISS (ZARYA)", epoch, new Date(at));

it("states how old the elements are, before their epoch as after it", () => {
  expect(note("2026-08-25T20:00:00Z")).toContain("elements of 25 August 2026, 4 hours old");
  expect(note("2026-08-22T15:00:00Z")).toContain("3 days ahead");
});

it.each([
  ["2026-08-26T00:00:00Z", "a few kilometres"],
  ["2026-09-01T00:00:00Z", "tens of kilometres"],
  ["2026-09-20T00:00:00Z", "hundreds of kilometres"],
  ["2026-11-22T00:00:00Z", "thousands of kilometres"],
])("promises less the older they are: %s", (at, accuracy) => {
  expect(note(at)).toContain(accuracy);
});
