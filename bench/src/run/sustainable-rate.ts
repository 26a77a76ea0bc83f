import { isDisturbed, leastDisturbed } from "./disturbance.ts";
import type { Round } from "./round.ts";

/** From this share of a core on a server has no reserve: it is past saturation, whatever still arrives. */
const maxCpuShare = 0.9;
/** What takes longer than this after the last publish was piling up. */
const maxDrainMs = 250;
/** So often below what was delivered before, the search has gone wrong: another process uses the core. */
const maxReductions = 6;

/** So often a trial that failed is repeated where others may have been why. */
const maxTries = 4;

/** The highest rate that a contender keeps up with. */
export interface SustainableRate {
  /** Publishes a second. */
  readonly messagesPerSecond: number;
  /** The scenario's own rate was too much. */
  readonly saturated: boolean;
}

/** Whether the server kept up: its core was not full, and the deliveries ended with the publishes. */
function keptUp(round: Round): boolean {
  return round.cpuShare <= maxCpuShare && round.drainMs <= maxDrainMs;
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
  const undisturbed = (rate: number): Promise<Round> =>
    leastDisturbed(
      maxTries,
      (round) => keptUp(round) || !isDisturbed(round),
      () => trial(rate),
    );
  const first = await undisturbed(target);
  if (keptUp(first)) return { messagesPerSecond: target, saturated: false };
  let tooHigh = Math.min(target, first.achievedPerSecond);
  let candidate = tooHigh * 0.88;
  let good = 0;
  for (let tries = 0; good === 0 || tries < steps; tries++) {
    if (tries >= steps + maxReductions)
      throw new Error(`not even ${tooHigh.toFixed(1)} messages a second are kept up with`);
    if (keptUp(await undisturbed(candidate))) good = candidate;
    else tooHigh = candidate;
    candidate = good === 0 ? tooHigh * 0.8 : (good + tooHigh) / 2;
  }
  return { messagesPerSecond: good, saturated: true };
}
