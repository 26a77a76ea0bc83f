import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { type Plan, type Setting, settings } from "../test/simulator/plan.ts";
import { planOf } from "../test/simulator/plan-generator.ts";
import { type Sabotage, sabotages } from "../test/simulator/sabotage.ts";
import { readPlan } from "./plan-file.ts";
import { type ScriptOption, ScriptUsageError, type ScriptValues } from "./script-options.ts";

export const help = `npm run simulate -- [options]

Runs clusters of nodes, their clients and a model of Valkey in virtual time, one run a seed, with faults of every kind, and
holds what clients see against the guarantees of the protocol. Exits with 1 if a seed fails; the first one that does is
made as small as it can be and shown with everything that happens in it. A seed gives the same run always, with the same settings
chosen. docs/guide/simulator.md says what is simulated, what is checked, and what is not.

  --seeds <n>        how many seeds to run; 1000 by default
  --from <seed>      the first of them; 1 by default
  --seed <seed>      run this one alone
  --plan <file>      run the plan in this file, as --save has written it
  --trace            show everything that happens (with --seed or --plan)
  --frames           like --trace, with every frame of the clients
  --setting <name>   only runs of this setting; may be repeated: ${settings.join(", ")}
  --sabotage <name>  let something go wrong on purpose, which the checks have to find: ${sabotages.join(", ")}
  --workers <n>      processes side by side; as many as there are processors by default
  --failures <n>     begin no more seeds when so many have failed; 10 by default
  --no-shrink        show the first seed that fails as it is
  --save <file>      write the plan that is shown to a file
  --json             print the result as JSON; with npm run -s, or npm prints lines of its own before
  --help             print this

npm run simulate -- --seeds 10000
npm run simulate -- --seed 4711 --trace
npm run simulate -- --seeds 500 --setting valkey-cluster
npm run -s simulate -- --seeds 500 --json > simulate.json`;

const maxSeed = 2 ** 48;

/** The command line. What --seed or --plan leave without a meaning has no default, so that it is known whether it was given. */
export const simulateCommandLine = {
  seeds: { type: "number", max: 1_000_000_000 },
  from: { type: "number", min: 0, max: maxSeed },
  seed: { type: "number", min: 0, max: maxSeed },
  plan: { type: "string" },
  trace: { type: "boolean" },
  frames: { type: "boolean" },
  setting: { type: "string", multiple: true },
  sabotage: { type: "string" },
  workers: { type: "number", max: 256 },
  failures: { type: "number" },
  "no-shrink": { type: "boolean" },
  save: { type: "string" },
  json: { type: "boolean" },
} as const satisfies Record<string, ScriptOption>;

type Values = ScriptValues<typeof simulateCommandLine>;

/** What to run. */
export interface Simulation {
  /** This one alone; undefined: the range. */
  readonly plan: Plan | undefined;
  readonly range: {
    readonly from: number;
    readonly count: number;
    readonly workers: number;
    readonly maxFailed: number;
  };
  readonly settings: readonly Setting[];
  readonly sabotage: Sabotage | undefined;
}

const ofRange = ["seeds", "from", "workers", "failures", "no-shrink"] as const;

/** What a command line asks for. @throws ScriptUsageError when it asks for two things at once, or for nothing there is */
export function simulationOf(values: Values): Simulation {
  refuseTogether(values, "plan", ["seed", "setting", ...ofRange]);
  refuseTogether(values, "seed", ofRange);
  for (const shown of ["trace", "frames"] as const) {
    if (values[shown] && values.seed === undefined && values.plan === undefined) {
      throw new ScriptUsageError(`--${shown} shows one run: it takes --seed or --plan as well.`);
    }
  }
  if (values.save !== undefined && !existsSync(dirname(values.save))) {
    throw new ScriptUsageError(`--save ${values.save} cannot be written: there is no folder ${dirname(values.save)}.`);
  }
  const chosen = values.setting?.map((name) => oneOf("setting", settings, name)) ?? settings;
  const { seed, plan } = values;
  const one = plan === undefined ? seed !== undefined && planOf(seed, chosen) : readPlan(plan);
  return {
    plan: one === false ? undefined : one,
    range: {
      from: values.from ?? 1,
      count: values.seeds ?? 1_000,
      workers: values.workers ?? availableParallelism(),
      maxFailed: values.failures ?? 10,
    },
    settings: chosen,
    sabotage: values.sabotage === undefined ? undefined : oneOf("sabotage", sabotages, values.sabotage),
  };
}

function refuseTogether(values: Values, one: keyof Values, others: readonly (keyof Values)[]): void {
  const isGiven = (name: keyof Values) => values[name] !== undefined && values[name] !== false;
  const other = isGiven(one) ? others.find(isGiven) : undefined;
  if (other !== undefined)
    throw new ScriptUsageError(`--${one} runs one seed alone: --${other} says nothing beside it.`);
}

function oneOf<Name extends string>(option: string, names: readonly Name[], given: string): Name {
  const found = names.find((name) => name === given);
  if (found === undefined) throw new ScriptUsageError(`--${option} takes: ${names.join(", ")}.`);
  return found;
}
