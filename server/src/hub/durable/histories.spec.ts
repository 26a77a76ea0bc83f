import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { requireTool } from "../../../../test/require-tool.ts";
import { testSeed } from "../../../../test/test-seed.ts";
import { openValkeyLog } from "../../testing/valkey-log.ts";
import { startStandalone } from "../../testing/valkey-processes.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { HistoryRun, readerCount, type Step } from "./testing/history-run.ts";

const who = fc.nat({ max: readerCount - 1 });
const pick = fc.nat({ max: 100 });
const of = (names: readonly ("unsubscribe" | "disconnect" | "resume" | "block" | "unblock" | "commit")[]) =>
  fc.record({ do: fc.constantFrom(...names), who });

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant("publish" as const),
      who,
      ttlMs: fc.constantFrom(0, 0, 0, 5_000),
      excludeSelf: fc.constantFrom(false, false, true),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("repeat" as const), pick }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("subscribe" as const),
      who,
      start: fc.constantFrom("head" as const, "rewind" as const, "after" as const, "cursor" as const),
      pick,
    }),
  },
  { weight: 5, arbitrary: of(["disconnect", "resume", "resume"]) },
  { weight: 4, arbitrary: of(["block", "unblock"]) },
  { weight: 2, arbitrary: of(["unsubscribe", "commit"]) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("delete" as const), pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("clear" as const), toldLater: fc.nat({ max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(10, 6_000, 61_000) }) },
);

describe("durable delivery", () => {
  it("gives every reader each offset once, in order, as message or skip, and announces every gap (10,000 random histories)", {
    timeout: 120_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        expect(await new HistoryRun().run(steps)).toEqual([]);
      }),
      { numRuns: 10_000, seed: testSeed },
    );
  });

  it.skipIf(requireTool("valkey-server") === undefined)(
    "does the same on a real Valkey (200 random histories)",
    { timeout: 180_000 },
    async () => {
      const clock = new VirtualClock();
      await using servers = await startStandalone();
      await using under = await openValkeyLog(servers, { clock });
      const stores = { messageLog: under.log, cursorStore: under.cursors };
      const history = fc.array(step, { minLength: 5, maxLength: 40 });
      const property = fc.asyncProperty(history, async (steps) => {
        await servers.processes[0]?.command("FLUSHALL");
        expect(await new HistoryRun({ stores, clock }).run(steps)).toEqual([]);
      });
      await fc.assert(property, { numRuns: 200, seed: testSeed });
    },
  );
});
