import { mkdtempDisposableSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { settings } from "../test/simulator/plan.ts";
import { planOf } from "../test/simulator/plan-generator.ts";
import { readPlan, savePlan } from "./plan-file.ts";
import { ScriptUsageError } from "./script-options.ts";

describe("a plan's file", () => {
  it("gives back every plan that was saved", () => {
    using folder = mkdtempDisposableSync(join(tmpdir(), "fanfare-plan-"));
    const file = join(folder.path, "plan.json");
    for (let seed = 1; seed <= 50; seed++) {
      const plan = planOf(seed, settings);
      savePlan(file, plan);
      expect(readPlan(file)).toEqual(plan);
    }
  });

  const plan = planOf(1, settings);
  it.each([
    ["is no JSON", "{", "cannot be read"],
    ["is nothing", "null", "it is no object"],
    ["is empty", "{}", "seed is no number"],
    ["lacks a time", JSON.stringify({ ...plan, timing: {} }), "timing.heartbeatIntervalMs is no number"],
    ["has another setting", JSON.stringify({ ...plan, setting: "cloud" }), "setting is one of embedded, "],
    ["has no nodes", JSON.stringify({ ...plan, nodes: 0 }), "nodes and players are numbers from 1 on"],
    ["has a step without a time", JSON.stringify({ ...plan, steps: [{ do: "cut" }] }), "steps[0].atMs is no number"],
    ["has a step that is none", JSON.stringify({ ...plan, steps: [7] }), "steps[0] is no object"],
  ])("that %s is refused with a sentence that names it", (_, text, problem) => {
    using folder = mkdtempDisposableSync(join(tmpdir(), "fanfare-plan-"));
    const file = join(folder.path, "plan.json");
    writeFileSync(file, text);
    expect(() => readPlan(file)).toThrow(ScriptUsageError);
    expect(() => readPlan(file)).toThrow(file);
    expect(() => readPlan(file)).toThrow(problem);
  });

  it("that is not there, or cannot be written, is named", () => {
    const file = join(tmpdir(), "fanfare-no-such-folder", "plan.json");
    expect(() => readPlan(file)).toThrow(`--plan ${file} cannot be read: ENOENT`);
    expect(() => savePlan(file, plan)).toThrow(`--save ${file} cannot be written: ENOENT`);
  });
});
