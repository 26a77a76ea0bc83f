import type { Acknowledged } from "./backend.ts";

/** A message as a log holds it. */
export interface Stored {
  readonly offset: number;
  readonly text: string;
}

/** Everything that is wrong, counted. */
export interface Faults {
  /** Acknowledged, and not in the log. */
  lostFromLog: number;
  /** Acknowledged at one offset, and stored at another. */
  misplaced: number;
  /** In the log a second time. */
  doubledInLog: number;
  /** In the log behind a later message of the same backend. */
  outOfOrderInLog: number;
  /** In the log, and not brought to a subscriber. */
  lost: number;
  /** Brought to a subscriber a second time, or never stored. */
  doubled: number;
  /** Brought to a subscriber behind a message that stands behind it in the log. */
  outOfOrder: number;
}

/** No faults. */
export function noFaults(): Faults {
  return { lostFromLog: 0, misplaced: 0, doubledInLog: 0, outOfOrderInLog: 0, lost: 0, doubled: 0, outOfOrder: 0 };
}

/** Holds one group's log to what was acknowledged, and what each subscriber received to the log. Adds what is wrong to `faults`. */
export function judge(
  faults: Faults,
  acknowledged: readonly Acknowledged[],
  log: readonly Stored[],
  received: readonly (readonly string[])[],
): void {
  const places = new Map<string, number>();
  const newest = new Map<string, number>();
  for (const [place, { text }] of log.entries()) {
    if (places.has(text)) faults.doubledInLog++;
    else places.set(text, place);
    const [backend = "", number] = text.split("/");
    if (Number(number) < (newest.get(backend) ?? 0)) faults.outOfOrderInLog++;
    newest.set(backend, Math.max(Number(number), newest.get(backend) ?? 0));
  }
  for (const { text, offset } of acknowledged) {
    const place = places.get(text);
    if (place === undefined) faults.lostFromLog++;
    else if (log[place]?.offset !== offset) faults.misplaced++;
  }
  for (const texts of received) {
    const seen = new Set<string>();
    let furthest = -1;
    for (const text of texts) {
      const place = places.get(text);
      if (place === undefined || seen.has(text)) {
        faults.doubled++;
        continue;
      }
      seen.add(text);
      if (place < furthest) faults.outOfOrder++;
      furthest = Math.max(furthest, place);
    }
    faults.lost += places.size - seen.size;
  }
}
