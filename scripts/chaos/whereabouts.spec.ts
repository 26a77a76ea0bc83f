import { expect, it } from "vitest";
import { Whereabouts } from "./whereabouts.ts";

/** Node n1 is struck from 10 s to 20 s. */
const strikes = [{ nodeId: "n1", fromMs: 10_000, toMs: 20_000 }];

function spansOf(...stays: readonly (readonly [nodeId: string, atMs: number])[]) {
  const whereabouts = new Whereabouts();
  for (const [nodeId, atMs] of stays) whereabouts.arrived("ann", nodeId, atMs);
  return whereabouts.struckSpans("ann", strikes);
}

it("excuses a client at the struck node until it is at home elsewhere", () => {
  expect(spansOf(["n1", 0], ["n2", 12_000])).toEqual([{ fromMs: 10_000, toMs: 14_000 }]);
  expect(spansOf(["n2", 0])).toEqual([]);
});

it("excuses a client that came back to the struck node until the strike is over, and not for the rest of the run", () => {
  expect(spansOf(["n1", 0], ["n2", 12_000], ["n1", 19_000])).toEqual([
    { fromMs: 10_000, toMs: 14_000 },
    { fromMs: 19_000, toMs: 22_000 },
  ]);
});

it("excuses a client that came to the struck node and was sent on until it is at home elsewhere", () => {
  expect(spansOf(["n1", 11_000], ["n3", 15_000])).toEqual([{ fromMs: 11_000, toMs: 17_000 }]);
});
