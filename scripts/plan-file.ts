import { readFileSync, writeFileSync } from "node:fs";
import { type Plan, type Setting, settings } from "../test/simulator/plan.ts";
import { planOf } from "../test/simulator/plan-generator.ts";
import { ScriptUsageError } from "./script-options.ts";

/** Reads a plan as {@link savePlan} writes it. @throws ScriptUsageError when there is none in the file */
export function readPlan(file: string): Plan {
  let plan: unknown;
  try {
    plan = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new ScriptUsageError(`--plan ${file} cannot be read: ${messageOf(cause)}.`, { cause });
  }
  const problem = problemOf(plan);
  if (problem !== undefined) throw new ScriptUsageError(`--plan ${file} is no plan of this simulator: ${problem}.`);
  return plan as Plan;
}

/** Writes a plan. @throws ScriptUsageError when it cannot be written there */
export function savePlan(file: string, plan: Plan): void {
  try {
    writeFileSync(file, `${JSON.stringify(plan, null, 2)}\n`);
  } catch (cause) {
    throw new ScriptUsageError(`--save ${file} cannot be written: ${messageOf(cause)}.`, { cause });
  }
}

/** What tells something from a plan: a plan has everything that a drawn one has, of the same kinds. */
function problemOf(plan: unknown): string | undefined {
  const problem = difference("", plan, planOf(1, settings));
  if (problem !== undefined) return problem;
  const { setting, nodes, players, steps } = plan as Plan;
  if (!settings.includes(setting as Setting)) return `setting is one of ${settings.join(", ")}`;
  if (nodes < 1 || players < 1) return "nodes and players are numbers from 1 on";
  for (const [i, step] of (steps as readonly unknown[]).entries()) {
    const stepProblem = difference(`steps[${i}]`, step, { atMs: 0, do: "" });
    if (stepProblem !== undefined) return stepProblem;
  }
  return undefined;
}

/** Where a value is of another kind than the example, or lacks something of it. */
function difference(path: string, value: unknown, example: unknown): string | undefined {
  if (kindOf(value) !== kindOf(example)) return `${path === "" ? "it" : path} is no ${kindOf(example)}`;
  if (kindOf(example) !== "object") return undefined;
  for (const [name, part] of Object.entries(example as object)) {
    const inside = path === "" ? name : `${path}.${name}`;
    const problem = difference(inside, (value as Record<string, unknown>)[name], part);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "list";
  return value === null ? "null" : typeof value;
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
