import type { Round } from "./round.ts";

/** From this share of a core on a server has no reserve: it is past saturation, whatever still arrives. */
const maxCpuShare = 0.9;
/** What takes longer than this after the last publish was piling up. */
const maxDrainMs = 250;
/** So often below what was delivered before, the search has gone wrong: another process uses the core. */
const maxReductions = 6;

/** Where others used more of the server's core than this, a trial that failed says nothing. */
const maxForeignShare = 0.05;
/** So often such a trial is repeated. */
const maxRepeats = 3;

/** The highest rate that a contender keeps up with. */
export interface SustainableRate {
  /** Publishes a second. */
  readonly messagesPerSecond: number;
  /** The scenario's own rate was too much. */
  readonly saturated: boolean;
}

/** Whether the server kept up: its core was not full, and the deliveries ended with the publishes. */
export function keptUp(round: Round): boolean {
  return round.cpuShare <= maxCpuShare && round.drainMs <= maxDrainMs;
}

/** Runs a trial, again where it failed and other processes may have been why. */
async function undisturbed(trial: () => Promise<Round>): Promise<Round> {
  let round = await trial();
  for (let repeats = 0; repeats < maxRepeats; repeats++) {
    if (keptUp(round) || (round.foreignShare ?? 0) <= maxForeignShare) break;
    round = await trial();
  }
  return round;
}

/**
 * Tries the scenario's rate, and if the contender does not keep up, searches its highest sustainable one: from what it delivered when it
 * was saturated downwards, then `steps` times by halves of what is left in doubt.
 */
export async function findSustainableRate(
  target: number,
  steps: number,
  trial: (messagesPerSecond: number) => Promise<Round>,
): Promise<SustainableRate> {
  const first = await undisturbed(() => trial(target));
  if (keptUp(first)) return { messagesPerSecond: target, saturated: false };
  let tooHigh = Math.min(target, first.achievedPerSecond);
  let candidate = tooHigh * 0.88;
  let good = 0;
  for (let tries = 0; good === 0 || tries < steps; tries++) {
    if (tries >= steps + maxReductions)
      throw new Error(`not even ${tooHigh.toFixed(1)} messages a second are kept up with`);
    const rate = candidate;
    if (keptUp(await undisturbed(() => trial(rate)))) good = candidate;
    else tooHigh = candidate;
    candidate = good === 0 ? tooHigh * 0.8 : (good + tooHigh) / 2;
  }
  return { messagesPerSecond: good, saturated: true };
}
