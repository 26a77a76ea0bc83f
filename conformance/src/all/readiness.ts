import { missingProgram, type Preparation, prepare } from "./prepare.ts";
import type { Progress } from "./progress.ts";

/** How an implementation is made ready. */
export interface ReadinessOptions {
  /** Where its commands run. */
  readonly folder: string;
  readonly progress: Progress;
  /** Nothing may be left out for want of a program. */
  readonly isStrict: boolean;
}

/** Whether an implementation can be run on this machine. */
export type Readiness = "ready" | "left out" | { readonly problem: string };

/** Makes an implementation ready; tells where it is left out, because the machine lacks a program that it takes. */
export async function makeReady(
  name: string,
  preparation: Preparation,
  { folder, progress, isStrict }: ReadinessOptions,
): Promise<Readiness> {
  const missing = missingProgram(preparation);
  if (missing !== undefined) {
    if (isStrict) return { problem: `there is no program ${missing}` };
    progress.say(`${name}: left out, because there is no program ${missing}`);
    return "left out";
  }
  try {
    await prepare(preparation, folder);
    return "ready";
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) };
  }
}
