import { describe, expect, it } from "vitest";
import { recordCost } from "./batch.ts";
import { TurnRecords } from "./turn-records.ts";

function filled(sizes: readonly number[]) {
  const turn = new TurnRecords();
  for (const size of sizes)
    turn.push({ class: "control", bytes: new Uint8Array(size) }, size % 2 === 0 ? () => {} : undefined);
  return turn;
}

describe("TurnRecords", () => {
  it("gives all of them when they fit", () => {
    const turn = filled([10, 11, 12]);
    const taken = turn.take(1_000);
    expect(taken.records.map(({ bytes }) => bytes.length)).toEqual([10, 11, 12]);
    expect(taken.settles).toHaveLength(2);
    expect(taken.bytes).toBe(recordCost(10) + recordCost(11) + recordCost(12));
    expect([turn.isEmpty, turn.bytes]).toEqual([true, 0]);
  });

  it("gives as many as fit, in order, and the first in any case", () => {
    const turn = filled([10, 11, 500, 12]);
    const sizes: number[][] = [];
    while (!turn.isEmpty)
      sizes.push(turn.take(recordCost(10) + recordCost(11)).records.map(({ bytes }) => bytes.length));
    expect(sizes).toEqual([[10, 11], [500], [12]]);
    expect(turn.bytes).toBe(0);
  });

  it("drains in order", () => {
    const turn = filled([1, 2, 3]);
    const drained: [number, boolean][] = [];
    turn.drain(({ bytes }, settle) => drained.push([bytes.length, settle !== undefined]));
    expect(drained).toEqual([
      [1, false],
      [2, true],
      [3, false],
    ]);
    expect([turn.isEmpty, turn.bytes]).toEqual([true, 0]);
  });
});
