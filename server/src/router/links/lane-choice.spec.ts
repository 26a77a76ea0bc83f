import { describe, expect, it } from "vitest";
import { Random } from "../../testing/random.ts";
import { chooseLanes } from "./lane-choice.ts";

const none: readonly number[] = [];

function survey({ count = 9, shards = 3, sick = none, avoided = none } = {}) {
  return {
    count,
    shardOf: (lane: number) => (shards === 0 ? "" : `${lane % shards}`),
    isSick: (lane: number) => sick.includes(lane),
    isAvoided: (lane: number) => avoided.includes(lane),
  };
}

/** The first choices of many tries. */
function choices(of: ReturnType<typeof survey>, current: number): Set<number> {
  const random = new Random(1);
  return new Set(Array.from({ length: 300 }, () => chooseLanes(of, current, 1, () => random.between(0, 1))[0] ?? -1));
}

describe("chooseLanes", () => {
  it("prefers another shard, and takes any lane of it", () => {
    expect(choices(survey(), 0)).toEqual(new Set([1, 2, 4, 5, 7, 8]));
  });

  it("prefers lanes that are well, then those that did not fail the link, then other shards than theirs", () => {
    expect(choices(survey({ sick: [1, 4, 7] }), 0)).toEqual(new Set([2, 5, 8]));
    expect(choices(survey({ avoided: [1] }), 0)).toEqual(new Set([2, 5, 8]));
    expect(choices(survey({ avoided: [1, 2] }), 0)).toEqual(new Set([3, 6]));
    expect(choices(survey({ avoided: [1, 2, 3] }), 0)).toEqual(new Set([4, 5, 7, 8]));
    expect(choices(survey({ sick: [1, 2, 4, 5, 7, 8], avoided: [3] }), 0)).toEqual(new Set([6]));
  });

  it("leaves the current lane wherever there is another", () => {
    expect(choices(survey({ count: 2, sick: [1], avoided: [1] }), 0)).toEqual(new Set([1]));
    expect(choices(survey({ count: 1 }), 0)).toEqual(new Set([0]));
  });

  it("knows no shard where none is known", () => {
    expect(choices(survey({ count: 4, shards: 0, avoided: [1] }), 0)).toEqual(new Set([2, 3]));
  });

  it("gives several, each of another shard as far as there are so many", () => {
    const random = new Random(2);
    for (let i = 0; i < 100; i++) {
      const lanes = chooseLanes(survey(), 0, 4, () => random.between(0, 1));
      expect(new Set(lanes.slice(0, 3).map((lane) => lane % 3)).size).toBe(3);
      expect(new Set(lanes).size).toBe(4);
    }
    expect(chooseLanes(survey({ count: 2, shards: 1 }), 0, 3, () => 0.5)).toEqual([1, 0]);
  });
});
