import { describe, expect, it } from "vitest";
import { settings } from "../test/simulator/plan.ts";
import { readScriptOptions } from "./script-options.ts";
import { simulateCommandLine, simulationOf } from "./simulate-options.ts";

function asked(...args: string[]) {
  return simulationOf(readScriptOptions(simulateCommandLine, args).values);
}

describe("simulationOf", () => {
  it("runs a thousand seeds of every setting unless asked for something else", () => {
    expect(asked()).toMatchObject({ plan: undefined, range: { from: 1, count: 1_000, maxFailed: 10 }, settings });
    expect(asked("--seeds", "7", "--from", "30", "--workers", "1", "--setting", "valkey")).toMatchObject({
      range: { from: 30, count: 7, workers: 1 },
      settings: ["valkey"],
    });
  });

  it("runs one seed alone", () => {
    expect(asked("--seed", "7", "--trace").plan?.seed).toBe(7);
  });

  it.each([
    [["--seed", "1", "--seeds", "5"], "--seed runs one seed alone: --seeds says nothing beside it."],
    [["--seed", "1", "--no-shrink"], "--no-shrink says nothing beside it."],
    [["--plan", "p.json", "--seed", "1"], "--plan runs one seed alone: --seed says nothing beside it."],
    [["--plan", "p.json", "--setting", "valkey"], "--setting says nothing beside it."],
    [["--trace"], "it takes --seed or --plan as well"],
    [["--setting", "cloud"], "--setting takes: embedded, "],
    [["--sabotage", "luck"], "--sabotage takes: "],
    [["--save", "no-such-folder/plan.json"], "there is no folder no-such-folder"],
    [["--plan", "no-such-plan.json"], "--plan no-such-plan.json cannot be read"],
  ])("refuses %j", (args, sentence) => {
    expect(() => asked(...args)).toThrow(sentence);
  });
});
