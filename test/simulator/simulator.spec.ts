import { describe, expect, it } from "vitest";
import { type Plan, settings } from "./plan.ts";
import { planOf } from "./plan-generator.ts";
import { runPlan } from "./run-plan.ts";
import { type Sabotage, sabotages } from "./sabotage.ts";
import { shrink } from "./shrink.ts";

/** Seeds of each setting that every test run tries; CI runs 10,000 by `npm run simulate`. */
const seeds = 15;
/** Seeds after which a sabotage must have been noticed. It takes two thirds of them at most. */
const seedsToNotice: Readonly<Record<Sabotage, number>> = {
  "forget-routes": 40,
  "keep-routes": 3,
  "forget-entries": 20,
  "lie-about-replicas": 200,
  "lose-records": 40,
  "lose-words": 10,
  "forget-players": 10,
  "forget-cursors": 6,
  "forget-keys": 155,
  "forget-settings": 15,
  "forget-clears": 26,
  "exceed-bounds": 170,
  "swap-messages": 120,
};

async function faultsOf(plan: Plan, sabotage?: Sabotage): Promise<readonly string[]> {
  return (await runPlan(plan, { sabotage })).faults;
}

describe("simulated clusters", () => {
  it.each(settings)(
    `keep what the protocol guarantees, over ${"%s"}`,
    async (setting) => {
      for (let seed = 1; seed <= seeds; seed++)
        expect(await faultsOf(planOf(seed, [setting])), `seed ${seed}`).toEqual([]);
    },
    120_000,
  );

  it("run in the same way each time", async () => {
    for (const seed of [3, 8, 14]) {
      const [first, second] = [[] as string[], [] as string[]];
      await runPlan(planOf(seed, settings), { trace: (line) => first.push(line) });
      await runPlan(planOf(seed, settings), { trace: (line) => second.push(line) });
      expect(first.length).toBeGreaterThan(50);
      expect(second).toEqual(first);
    }
  }, 60_000);

  it.each(sabotages)(
    "do not get away with it when something goes wrong on purpose: %s",
    async (sabotage) => {
      let found: readonly string[] = [];
      for (let seed = 1; found.length === 0 && seed <= seedsToNotice[sabotage]; seed++) {
        found = await faultsOf(planOf(seed, ["valkey-cluster"]), sabotage);
      }
      expect(found).not.toEqual([]);
    },
    120_000,
  );

  it("show what is wrong by the few steps that it takes", async () => {
    const sabotage = "lose-records";
    for (let seed = 1; ; seed++) {
      const plan = planOf(seed, ["valkey"]);
      const faults = await faultsOf(plan, sabotage);
      if (faults.length === 0) continue;
      const shrunk = await shrink(plan, faults, (candidate) => faultsOf(candidate, sabotage));
      expect(shrunk.plan.steps.length).toBeLessThan(plan.steps.length / 2);
      expect(await faultsOf(shrunk.plan, sabotage)).toEqual(shrunk.faults);
      return;
    }
  }, 120_000);
});
