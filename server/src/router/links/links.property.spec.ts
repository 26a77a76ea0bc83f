import { describe, expect, it } from "vitest";
import { LinksRun } from "./testing/links-run.ts";

describe("links over lanes that lose, delay, double, refuse and lie", () => {
  it("keep order, hand on once, settle truthfully and come to rest", { timeout: 60_000 }, async () => {
    for (let seed = 1; seed <= 200; seed++) {
      expect(await new LinksRun(seed).run(), `seed ${seed}`).toEqual([]);
    }
  });
});
