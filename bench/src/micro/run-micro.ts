import { type Spread, spreadOf } from "../measure/statistics.ts";
import { microCases } from "./cases.ts";

export interface MicroResult {
  readonly name: string;
  /** Of the batches, in nanoseconds for each call. */
  readonly nsPerOp: Spread;
}

const batches = 21;

/** Runs every case in batches of about `batchMs`, after a warm-up of as many, in turns. */
export function runMicro(batchMs: number): MicroResult[] {
  const cases = microCases().map((one) => ({ ...one, calls: callsWithin(one.run, batchMs), samples: [] as number[] }));
  for (let batch = 0; batch < batches; batch++) {
    for (const { run, calls, samples } of cases) samples.push(nsPerCall(run, calls));
  }
  return cases.map(({ name, samples }) => ({ name, nsPerOp: spreadOf(samples) }));
}

function callsWithin(run: () => number, batchMs: number): number {
  let calls = 64;
  while (nsPerCall(run, calls) * calls < batchMs * 1e6) calls *= 2;
  return calls;
}

/** Where results go, so that no compiler finds that nobody needs them. */
let sink = 0;

function nsPerCall(run: () => number, calls: number): number {
  const started = process.hrtime.bigint();
  for (let i = 0; i < calls; i++) sink = (sink + run()) | 0;
  return Number(process.hrtime.bigint() - started) / calls;
}
