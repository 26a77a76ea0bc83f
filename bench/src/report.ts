import type { Machine } from "./measure/machine.ts";
import { spreadOf } from "./measure/statistics.ts";
import { isDisturbed } from "./run/disturbance.ts";
import type { Round } from "./run/round.ts";
import type { ContenderResult } from "./run/scenario-run.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import type { Verdict } from "./verdict.ts";

const heads = [
  "contender",
  "msg/s",
  "CPU us/delivery",
  "spread",
  "x floor",
  "CPU",
  "p50 ms",
  "p99 ms",
  "B/delivery",
  "joined",
];

/** The lines that name the machine. */
export function machineLines(machine: Machine): string[] {
  return [
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}, ${machine.kernel}`,
    `pinning: ${machine.pinning}; load average ${machine.loadAverage.toFixed(2)}`,
  ];
}

/** One scenario as a table, with the sentences that belong to it. */
export function scenarioLines(
  scenario: Scenario,
  results: readonly ContenderResult[],
  verdict: Verdict | undefined,
  checked: boolean,
): string[] {
  const floor = results.find(({ name }) => name === "floor");
  const floorUs = floor && median(floor, (round) => round.cpuUsPerDelivery);
  const lines = [
    `${scenario.name}: ${scenario.description}`,
    ...table([heads, ...results.map((one) => row(one, floorUs))]),
  ];
  for (const { name } of results.filter((one) => one.rate.saturated)) {
    lines.push(
      `* ${name} does not keep up with ${scenario.messagesPerSecond} messages/s; it is measured at the highest rate it sustains.`,
    );
  }
  const disturbed = results.flatMap(({ rounds }) => rounds.filter(isDisturbed));
  if (disturbed.length > 0) {
    const most = Math.max(...disturbed.map((round) => round.foreignShare ?? 0));
    lines.push(
      `Warning: in ${disturbed.length} rounds other processes used the server's core, up to ${(most * 100).toFixed(0)} % of it.`,
    );
  }
  if (verdict !== undefined) lines.push(checked ? verdict.sentence : `${verdict.sentence} (Not checked.)`);
  return lines;
}

function row(result: ContenderResult, floorUs: number | undefined): string[] {
  const cpu = spreadOf(result.rounds.map((round) => round.cpuUsPerDelivery));
  return [
    `${result.name}${result.rate.saturated ? " *" : ""}`,
    result.rate.messagesPerSecond.toFixed(result.rate.saturated ? 1 : 0),
    cpu.median.toFixed(2),
    `${cpu.min.toFixed(2)}-${cpu.max.toFixed(2)}`,
    floorUs === undefined ? "" : (cpu.median / floorUs).toFixed(2),
    `${(median(result, (round) => round.cpuShare) * 100).toFixed(0)} %`,
    median(result, (round) => round.latencyP50Ms).toFixed(1),
    median(result, (round) => round.latencyP99Ms).toFixed(1),
    median(result, (round) => round.bytesPerDelivery).toFixed(0),
    median(result, (round) => round.deliveriesPerWebSocketMessage).toFixed(1),
  ];
}

function median(result: ContenderResult, of: (round: Round) => number): number {
  return spreadOf(result.rounds.map(of)).median;
}

/** Columns as wide as their widest cell; the first to the left, numbers to the right. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)));
  return rows.map((cells) =>
    cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join("  "),
  );
}
