import { expect, it } from "vitest";
import { surplusOf } from "./rebalance.ts";

const surplus = (connections: readonly number[], percent = 100) =>
  Object.fromEntries(
    surplusOf(
      connections.map((n, i) => ({ incarnation: BigInt(i), connections: n })),
      percent,
    ),
  );

it("takes from every node what it has above the mean", () => {
  expect(surplus([10, 0])).toEqual({ 0: 5 });
  expect(surplus([90, 60, 0])).toEqual({ 0: 40, 1: 10 });
});

it("leaves nodes alone that differ by what cannot be divided", () => {
  expect(surplus([4, 3, 3])).toEqual({});
  expect(surplus([0, 1])).toEqual({});
  expect(surplus([0, 0])).toEqual({});
  expect(surplus([7])).toEqual({});
  expect(surplus([])).toEqual({});
});

it("takes a part of it, if told so", () => {
  expect(surplus([100, 0], 10)).toEqual({ 0: 5 });
  expect(surplus([100, 0], 1)).toEqual({});
});
