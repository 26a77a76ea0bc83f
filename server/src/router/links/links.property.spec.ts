import { describe, expect, it } from "vitest";
import { testSeed } from "../../../../test/test-seed.ts";
import { LinksRun } from "./testing/links-run.ts";

const runs = 2_000;

describe("links over lanes that lose, delay, double, refuse and lie", () => {
  it("keep order, hand on once, settle truthfully, name losses, keep their bounds and come to rest", {
    timeout: 300_000,
  }, async () => {
    const happened: Record<string, number> = {};
    for (let seed = testSeed; seed < testSeed + runs; seed++) {
      const run = new LinksRun(seed);
      expect(await run.run(), `npm run simulate:links -- --seeds 1 --seed ${seed}`).toEqual([]);
      for (const counters of run.counters) {
        for (const [name, value] of Object.entries(counters)) happened[name] = (happened[name] ?? 0) + value;
      }
    }
    // So that what links are for was put to the test.
    const { recordsFailed, recordsUnknown, duplicatesIn, earlyIn, suspensions, lossesOut, retransmitTimeouts } =
      happened;
    const { sharedOut, sharedIn, sharedRepaired, sharedRefused, sharedPast } = happened;
    const rare = {
      ...{ recordsFailed, recordsUnknown, duplicatesIn, earlyIn, suspensions, lossesOut, retransmitTimeouts },
      ...{ sharedOut, sharedIn, sharedRepaired, sharedRefused, sharedPast },
    };
    for (const [name, count] of Object.entries(rare)) expect(count, name).toBeGreaterThan(runs);
  });
});
