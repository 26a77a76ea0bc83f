import type { Plan } from "../test/simulator/plan.ts";
import { runPlan } from "../test/simulator/run-plan.ts";
import { type PoolResult, runSeeds } from "../test/simulator/seed-pool.ts";
import { shrink } from "../test/simulator/shrink.ts";
import { describe } from "../test/simulator/simulated-run.ts";
import type { FailedSeed } from "../test/simulator/worker.ts";
import { savePlan } from "./plan-file.ts";
import { orRefuseUsage, scriptOptions } from "./script-options.ts";
import { help, simulateCommandLine, simulationOf } from "./simulate-options.ts";

const values = scriptOptions(help, simulateCommandLine);
const { plan: only, range, settings, sabotage } = orRefuseUsage(() => simulationOf(values));
/** Time between two lines about how far it is, in milliseconds. */
const progressMs = 12_000;
const beganMs = performance.now();
const print = (line: string): void => {
  if (!values.json) console.log(line);
};

await (only === undefined ? runMany() : runOne(only));

async function runOne(plan: Plan): Promise<void> {
  save(plan);
  const { faults, tally } = await runPlan(plan, {
    sabotage,
    ...((values.trace || values.frames) && { trace: print, showsFrames: values.frames }),
  });
  if (values.json) console.log(JSON.stringify({ seed: plan.seed, faults, tally }));
  for (const fault of faults) print(`FAULT: ${fault}`);
  print(`${plan.setting}, ${plan.nodes} nodes: ${tallyText(tally)}`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}

async function runMany(): Promise<void> {
  let shownMs = beganMs;
  let told = 0;
  const result = await runSeeds({
    ...range,
    settings,
    sabotage,
    onProgress: ({ seeds, failed }) => {
      if (values.json) return;
      for (const one of failed.slice(told)) console.error(firstFault(one));
      told = failed.length;
      if (performance.now() - shownMs < progressMs) return;
      shownMs = performance.now();
      console.error(`${seeds} of ${range.count} seeds, ${failed.length} failed, ${secondsSince(beganMs)} s`);
    },
  });
  const [first] = result.failed;
  for (const one of result.failed) print(firstFault(one));
  const shown = first && (values["no-shrink"] ? { ...first, runs: 0 } : await shrunk(first));
  if (shown !== undefined) await show(shown);
  report(result, shown);
  process.exitCode = result.failed.length === 0 && result.seeds > 0 ? 0 : 1;
}

function shrunk({ plan, faults }: FailedSeed) {
  return shrink(plan, faults, async (candidate) => (await runPlan(candidate, { sabotage })).faults);
}

async function show({ plan, runs }: FailedSeed & { readonly runs: number }): Promise<void> {
  save(plan);
  const left = plan.steps.length;
  print(
    `\nseed ${plan.seed}, ${plan.setting}, ${plan.nodes} nodes, ${plan.players} players; ${left} steps, after ${runs} runs to find them:`,
  );
  for (const step of plan.steps) print(`  ${(step.atMs / 1000).toFixed(4).padStart(9)}  ${describe(step)}`);
  print("");
  const { faults } = await runPlan(plan, { sabotage, trace: print });
  print("");
  for (const fault of faults) print(`FAULT: ${fault}`);
  print(`\nto see all of this run: npm run simulate -- --seed ${plan.seed} --trace${sameChoice()}`);
  const saved = values.save === undefined ? "" : `: npm run simulate -- --plan ${values.save} --trace${sameChoice()}`;
  print(
    `to run what is left of it again${saved || ", the same range with --save <file>, and then --plan <file> --trace"}`,
  );
}

function firstFault({ plan, faults }: FailedSeed): string {
  return `seed ${plan.seed}: ${faults[0]?.split("\n", 1)[0]}`;
}

/** Without the settings that were chosen a seed gives another run. */
function sameChoice(): string {
  const choice = (values.setting ?? []).map((name) => ` --setting ${name}`).join("");
  return sabotage === undefined ? choice : `${choice} --sabotage ${sabotage}`;
}

function report({ seeds, tally, failed }: PoolResult, shown: FailedSeed | undefined): void {
  if (values.json) {
    const failures = failed.map(({ plan, faults }) => ({ seed: plan.seed, setting: plan.setting, faults }));
    console.log(JSON.stringify({ seeds, seconds: Number(secondsSince(beganMs)), tally, failures, shown }, null, 2));
    return;
  }
  const each = ((performance.now() - beganMs) / seeds).toFixed(1);
  print(
    `\n${seeds} seeds, ${failed.length} failed, in ${secondsSince(beganMs)} s (${each} ms each); ${tallyText(tally)}`,
  );
}

function save(plan: Plan): void {
  const { save: file } = values;
  if (file !== undefined) orRefuseUsage(() => savePlan(file, plan));
}

function tallyText(tally: Readonly<Record<string, number>>): string {
  return Object.entries(tally)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}

function secondsSince(ms: number): string {
  return ((performance.now() - ms) / 1000).toFixed(1);
}
