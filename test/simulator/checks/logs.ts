import { Outcome } from "@fanfare/sdk-core";
import { type Ledger, placeOf } from "../ledger.ts";
import { checkGone, mayBeCleared } from "./cleared.ts";
import type { Losses } from "./guarantees.ts";

/** Every message that is STORED is in its log, at its place, unless the log keeps nothing that old. @param reader who has read all of it */
export function checkLogs(
  { published, subscribers, clears }: Ledger,
  reader: string,
  { logsAreLost, changesAreLost }: Losses,
): string[] {
  const faults: string[] = [];
  for (const { by, channel, begin, received } of subscribers) {
    if (by !== reader || begin === undefined) continue;
    const read = new Map(received.flatMap((one) => (one.type === "message" ? [[one.id, one.position]] : [])));
    if (!logsAreLost && !changesAreLost) faults.push(...checkGone(clears, channel, published, read.keys()));
    for (const { id, channel: to, outcome, position, beganMs } of published.values()) {
      if (to !== channel || outcome !== Outcome.STORED || position === undefined) continue;
      const place = read.get(id);
      if (position.epoch !== begin.epoch) {
        if (!logsAreLost && !mayBeCleared(clears, channel, position, beganMs))
          faults.push(`${id} is stored in ${channel} at ${placeOf(position)}, and the log is another one`);
        continue;
      }
      const isAtPlace = place?.offset === position.offset && place.tag === position.tag;
      if (isAtPlace || position.offset <= begin.offset) continue;
      const found = place === undefined ? "is not in the log" : `is at ${placeOf(place)}`;
      if (!logsAreLost) faults.push(`${id} is stored in ${channel} at ${placeOf(position)}, and ${found}`);
    }
  }
  return faults;
}
