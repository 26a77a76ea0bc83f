import { spreadOf } from "./measure/statistics.ts";
import { isDisturbed } from "./run/disturbance.ts";
import type { ContenderResult } from "./run/scenario-run.ts";
import type { Scenario } from "./scenarios/scenario.ts";

/** Fanfare held against the floor. */
export interface Verdict {
  /** Fanfare's median CPU for a delivered message as a multiple of the floor's. */
  readonly timesFloor: number;
  readonly maxTimesFloor: number;
  readonly within: boolean;
  /** Others used so much of the server's core in most rounds of one of the two that the figures prove nothing. */
  readonly disturbed: boolean;
  readonly sentence: string;
}

/** Undefined where one of the two was not measured. */
export function judge(scenario: Scenario, results: readonly ContenderResult[]): Verdict | undefined {
  const fanfare = results.find(({ name }) => name === "fanfare");
  const floor = results.find(({ name }) => name === "floor");
  if (fanfare === undefined || floor === undefined) return undefined;
  const timesFloor = medianCpuUs(fanfare) / medianCpuUs(floor);
  const disturbed = mostlyDisturbed(fanfare) || mostlyDisturbed(floor);
  const within = timesFloor <= scenario.maxTimesFloor;
  const sentence =
    `${scenario.name}: Fanfare takes ${timesFloor.toFixed(2)} times the floor's CPU for a delivered message, ` +
    `${within ? "within" : "PAST"} the bound of ${scenario.maxTimesFloor}.` +
    (disturbed ? " NOT PROVEN: other processes used the server's core in most rounds." : "");
  return { timesFloor, maxTimesFloor: scenario.maxTimesFloor, within, disturbed, sentence };
}

function medianCpuUs({ rounds }: ContenderResult): number {
  return spreadOf(rounds.map((round) => round.cpuUsPerDelivery)).median;
}

function mostlyDisturbed({ rounds }: ContenderResult): boolean {
  return rounds.filter(isDisturbed).length * 2 > rounds.length;
}
