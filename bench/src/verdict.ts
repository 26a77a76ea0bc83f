import { spreadOf } from "./measure/statistics.ts";
import type { ContenderResult } from "./run/scenario-run.ts";
import type { Scenario } from "./scenarios/scenario.ts";

/** Fanfare held against the floor. */
export interface Verdict {
  /** Fanfare's median CPU for a delivered message as a multiple of the floor's. */
  readonly timesFloor: number;
  readonly maxTimesFloor: number;
  readonly within: boolean;
  readonly sentence: string;
}

/** Undefined where one of the two was not measured. */
export function judge(scenario: Scenario, results: readonly ContenderResult[]): Verdict | undefined {
  const fanfare = medianOf("fanfare", results);
  const floor = medianOf("floor", results);
  if (fanfare === undefined || floor === undefined) return undefined;
  const timesFloor = fanfare / floor;
  const within = timesFloor <= scenario.maxTimesFloor;
  const sentence =
    `${scenario.name}: Fanfare takes ${timesFloor.toFixed(2)} times the floor's CPU for a delivered message, ` +
    `${within ? "within" : "PAST"} the bound of ${scenario.maxTimesFloor}.`;
  return { timesFloor, maxTimesFloor: scenario.maxTimesFloor, within, sentence };
}

function medianOf(name: string, results: readonly ContenderResult[]): number | undefined {
  const result = results.find((one) => one.name === name);
  return result && spreadOf(result.rounds.map((round) => round.cpuUsPerDelivery)).median;
}
