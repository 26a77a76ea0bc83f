/** The most that so many values in a row reached all; of all of them, if there are fewer. NaN without any, or with one that is none. */
export function lastingPeak(values: readonly number[], inARow: number): number {
  const runs = Math.max(1, values.length - inARow + 1);
  const lows = Array.from({ length: runs }, (_, i) => Math.min(...values.slice(i, i + inARow)));
  return values.length === 0 ? Number.NaN : Math.max(...lows);
}
