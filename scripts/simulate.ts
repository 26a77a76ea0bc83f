import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { type Plan, type Setting, settings } from "../test/simulator/plan.ts";
import { planOf } from "../test/simulator/plan-generator.ts";
import { runPlan } from "../test/simulator/run-plan.ts";
import { sabotages } from "../test/simulator/sabotage.ts";
import { type PoolResult, runSeeds } from "../test/simulator/seed-pool.ts";
import { shrink } from "../test/simulator/shrink.ts";
import { describe } from "../test/simulator/simulated-run.ts";
import type { FailedSeed } from "../test/simulator/worker.ts";
import { scriptOptions } from "./script-options.ts";

const help = `npm run simulate -- [options]

Runs clusters of nodes, their clients and a model of Valkey in virtual time, one run a seed, with faults of every kind, and
holds what clients see against the guarantees of the protocol. Exits with 1 if a seed fails; the first one that does is
made as small as it can be and shown with everything that happens in it. A seed gives the same run always, with the same settings
chosen. docs/guide/simulator.md says what is simulated, what is checked, and what is not.

  --seeds <n>        how many seeds to run; 1000 by default
  --from <seed>      the first of them; 1 by default
  --seed <seed>      run this one alone
  --plan <file>      run the plan in this file, as --save has written it
  --trace            show everything that happens (with --seed or --plan)
  --setting <name>   only runs of this setting; may be repeated: ${settings.join(", ")}
  --sabotage <name>  let something go wrong on purpose, which the checks have to find: ${sabotages.join(", ")}
  --workers <n>      processes side by side; as many as there are processors by default
  --failures <n>     begin no more seeds when so many have failed; 10 by default
  --no-shrink        show the first seed that fails as it is
  --save <file>      write the plan that is shown to a file
  --json             print the result as JSON
  --help             print this

npm run simulate -- --seeds 10000
npm run simulate -- --seed 4711 --trace
npm run simulate -- --seeds 500 --setting valkey-cluster`;

const values = scriptOptions(help, {
  seeds: { type: "string", default: "1000" },
  from: { type: "string", default: "1" },
  seed: { type: "string" },
  plan: { type: "string" },
  trace: { type: "boolean", default: false },
  setting: { type: "string", multiple: true },
  sabotage: { type: "string" },
  workers: { type: "string", default: `${availableParallelism()}` },
  failures: { type: "string", default: "10" },
  "no-shrink": { type: "boolean", default: false },
  save: { type: "string" },
  json: { type: "boolean", default: false },
});
const chosen = (values.setting ?? settings) as readonly Setting[];
const wrong = chosen.find((name) => !settings.includes(name));
if (wrong !== undefined) {
  console.error(`--setting takes: ${settings.join(", ")}`);
  process.exit(2);
}
const sabotage = sabotages.find((name) => name === values.sabotage);
if (values.sabotage !== undefined && sabotage === undefined) {
  console.error(`--sabotage takes: ${sabotages.join(", ")}`);
  process.exit(2);
}
/** Time between two lines about how far it is, in milliseconds. */
const progressMs = 12_000;
const beganMs = performance.now();
const print = (line: string): void => {
  if (!values.json) console.log(line);
};

if (values.plan !== undefined) await runOne(JSON.parse(readFileSync(values.plan, "utf8")) as Plan);
else if (values.seed !== undefined) await runOne(planOf(Number(values.seed), chosen));
else await runMany();

async function runOne(plan: Plan): Promise<void> {
  if (values.save !== undefined) save(plan);
  const { faults, tally } = await runPlan(plan, { sabotage, ...(values.trace && { trace: print }) });
  if (values.json) console.log(JSON.stringify({ seed: plan.seed, faults, tally }));
  for (const fault of faults) print(`FAULT: ${fault}`);
  print(`${plan.setting}, ${plan.nodes} nodes: ${tallyText(tally)}`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}

async function runMany(): Promise<void> {
  let shownMs = beganMs;
  let told = 0;
  const count = Number(values.seeds);
  const result = await runSeeds({
    from: Number(values.from),
    count,
    settings: chosen,
    sabotage,
    workers: Number(values.workers),
    maxFailed: Number(values.failures),
    onProgress: ({ seeds, failed }) => {
      if (values.json) return;
      for (const one of failed.slice(told)) console.error(firstFault(one));
      told = failed.length;
      if (performance.now() - shownMs < progressMs) return;
      shownMs = performance.now();
      console.error(`${seeds} of ${count} seeds, ${failed.length} failed, ${secondsSince(beganMs)} s`);
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
  if (values.save !== undefined) save(plan);
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
  writeFileSync(values.save as string, `${JSON.stringify(plan, null, 2)}\n`);
}

function tallyText(tally: Readonly<Record<string, number>>): string {
  return Object.entries(tally)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}

function secondsSince(ms: number): string {
  return ((performance.now() - ms) / 1000).toFixed(1);
}
