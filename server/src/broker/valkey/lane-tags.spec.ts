import { describe, expect, it } from "vitest";
import { slotCount, slotOfTag } from "../../valkey/hash-slot.ts";
import { evenTags } from "../../valkey/spread-tags.ts";
import { laneTags } from "./lane-tags.ts";

/** How many of the first lanes each of so many equal shards has. */
function lanesOfShards(lanes: number, shards: number): number[] {
  const counts = new Array<number>(shards).fill(0);
  for (const tag of laneTags.slice(0, lanes)) {
    const shard = Math.floor((slotOfTag(tag) * shards) / slotCount);
    counts[shard] = (counts[shard] as number) + 1;
  }
  return counts;
}

describe("tags of lanes", () => {
  it("are the same in every release", () => {
    expect(laneTags.slice(0, 16).join(" ")).toMatchInlineSnapshot(
      `"10 12 11 13 69 173 68 172 29 133 28 132 50 52 51 53"`,
    );
    expect(new Set(laneTags).size).toBe(64);
  });

  it("spread over the shards, however many there are", () => {
    expect(lanesOfShards(16, 1)).toEqual([16]);
    expect(lanesOfShards(16, 2)).toEqual([8, 8]);
    expect(lanesOfShards(16, 3)).toEqual([6, 5, 5]);
    expect(lanesOfShards(16, 4)).toEqual([4, 4, 4, 4]);
    expect(lanesOfShards(16, 16)).toEqual(new Array(16).fill(1));
    expect(lanesOfShards(4, 3).every((count) => count > 0)).toBe(true);
    expect(lanesOfShards(64, 20).every((count) => count >= 3)).toBe(true);
  });

  it("go to another shard from one lane to the next", () => {
    const shardOf = (lane: number) => Math.floor((slotOfTag(laneTags[lane] as string) * 3) / slotCount);
    for (let lane = 0; lane < 15; lane += 2) expect(shardOf(lane)).not.toBe(shardOf(lane + 1));
  });
});

describe("even tags", () => {
  it("are the same in every release, and put a third of them on each of three equal shards", () => {
    const tags = evenTags(9);
    expect(tags.join(" ")).toMatchInlineSnapshot(`"342 76 19 60 16 5 49 26 53"`);
    expect(tags.map((tag) => Math.floor((slotOfTag(tag) * 3) / slotCount))).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2]);
  });
});
