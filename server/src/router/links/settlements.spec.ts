import { describe, expect, it } from "vitest";
import { createLog, type LogEntry } from "../../observe/log.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { Settlements } from "./settlements.ts";

describe("Settlements", () => {
  it("tells at the end of the turn, in order, and goes on when somebody throws", () => {
    const clock = new VirtualClock();
    const logged: LogEntry[] = [];
    const log = createLog({ level: "debug", sink: (entry) => logged.push(entry), nowMs: () => 0 });
    const settlements = new Settlements(clock, log);
    const told: string[] = [];
    settlements.add([], "failed");
    expect(clock.pendingTurns).toBe(0);
    settlements.add([(outcome) => told.push(`1 ${outcome}`)], "delivered");
    settlements.add(
      [
        () => {
          settlements.add([(outcome) => told.push(`4 ${outcome}`)], "unknown");
          throw new Error("broken");
        },
        (outcome) => told.push(`3 ${outcome}`),
      ],
      "failed",
    );
    expect(told).toEqual([]);
    clock.turn();
    expect(told).toEqual(["1 delivered", "3 failed"]);
    expect(logged.map(({ level }) => level)).toEqual(["error"]);
    clock.turn();
    expect(told.at(-1)).toBe("4 unknown");
  });
});
