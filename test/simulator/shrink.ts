import type { Plan, Step } from "./plan.ts";

/** A plan that fails, made as small as could be found, and what is wrong with it. */
export interface Shrunk {
  readonly plan: Plan;
  readonly faults: readonly string[];
  /** Runs that it took. */
  readonly runs: number;
}

/** Runs that a plan is worth. */
const maxRuns = 400;

/**
 * Leaves out of a plan what it fails without: steps, many at once and then fewer, and what is odd about those that are left. It fails as before if it
 * has a fault of the same kind as the first one.
 */
export async function shrink(
  plan: Plan,
  faults: readonly string[],
  run: (plan: Plan) => Promise<readonly string[]>,
): Promise<Shrunk> {
  const kind = kindOf(faults[0] ?? "");
  let best = { plan, faults };
  let runs = 0;
  const tries = async (candidate: Plan): Promise<boolean> => {
    if (runs >= maxRuns) return false;
    runs++;
    const found = await run(candidate);
    if (!found.some((fault) => kindOf(fault) === kind)) return false;
    best = { plan: candidate, faults: found };
    return true;
  };
  for (let size = Math.ceil(plan.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.plan.steps.length; ) {
      const steps = best.plan.steps.toSpliced(at, size);
      if (!(await tries({ ...best.plan, steps }))) at += size;
    }
  }
  for (const [at, step] of best.plan.steps.entries()) {
    for (const plainer of plainerSteps(step)) await tries({ ...best.plan, steps: best.plan.steps.with(at, plainer) });
  }
  const players = 1 + Math.max(0, ...best.plan.steps.map((step) => ("player" in step ? step.player : 0)));
  if (players < best.plan.players) await tries({ ...best.plan, players });
  return { ...best, runs };
}

/** A fault without what differs from run to run. */
function kindOf(fault: string): string {
  return fault
    .split("\n", 1)
    .join()
    .replaceAll(/\bp\d+#\d+(\.\d+)?|\b[nv]\d[\w.]*|(live|log):\w+|player\/p\d+|broadcast|[0-9a-f]*\d[0-9a-f/-]*/g, "_");
}

function* plainerSteps(step: Step): Generator<Step> {
  if (step.do !== "publish" && step.do !== "send") return;
  if (step.count > 1) yield { ...step, count: 1 };
  if (step.size > 0) yield { ...step, count: 1, size: 0 };
  if (step.excludeSelf) yield { ...step, count: 1, size: 0, excludeSelf: false };
}
