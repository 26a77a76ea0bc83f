import type { Profiler } from "node:inspector";
import { describe, expect, it } from "vitest";
import { topSelfTimes } from "./cpu-profile.ts";

function node(id: number, functionName: string, url: string, lineNumber: number): Profiler.ProfileNode {
  return { id, callFrame: { functionName, url, lineNumber, columnNumber: 0, scriptId: "0" } };
}

describe("topSelfTimes", () => {
  it("adds up samples by function, without idle time and the profiler, the largest first", () => {
    const profile: Profiler.Profile = {
      nodes: [
        node(1, "(idle)", "", 0),
        node(2, "flush", "file:///repo/server/queue.ts", 9),
        node(3, "flush", "file:///repo/server/queue.ts", 9),
        node(4, "", "node:net", 0),
        node(5, "post", "node:inspector", 3),
      ],
      startTime: 0,
      endTime: 1_000,
      samples: [1, 2, 3, 4, 5, 2],
      timeDeltas: [500, 100, 100, 100, 100, 100],
    };
    expect(topSelfTimes(profile, "file:///repo/", 5)).toEqual([
      { where: "flush server/queue.ts:10", share: 0.75 },
      { where: "(anonymous) node:net:1", share: 0.25 },
    ]);
  });
});
