import { expect, it } from "vitest";
import { Outages } from "./outages.ts";

it("counts the outage of a client from when it went until it is back, however often it tries", () => {
  const outages = new Outages();
  outages.up("ann", 50);
  expect(outages.longestMs(60)).toBe(0);
  outages.down("ann", 100);
  outages.down("ann", 150);
  outages.up("ann", 300);
  expect(outages.longestMs(1_000)).toBe(200);
  outages.forgetOver();
  expect(outages.longestMs(1_000)).toBe(0);
});

it("counts the outage of a client that never comes back", () => {
  const outages = new Outages();
  outages.down("ann", 100);
  outages.down("bob", 200);
  outages.up("bob", 210);
  outages.forgetOver();
  expect(outages.longestMs(9_100)).toBe(9_000);
});
