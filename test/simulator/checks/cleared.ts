import { type LogPosition, Outcome } from "@fanfare/sdk-core";
import type { Clear, Ledger, Published, Received, Subscriber } from "../ledger.ts";
import { isOwed, type Losses } from "./guarantees.ts";

/** Whoever has opened a channel is told once that its log was cleared, whichever way brings it. @returns what is wrong, in sentences */
export function checkCleared({ clears, subscribers }: Ledger, { logsAreLost }: Losses): string[] {
  return subscribers.flatMap((subscriber) => {
    if (!subscriber.isDurable) return [];
    const faults = checkToldOnce(subscriber);
    if (logsAreLost) return faults;
    const unheard = clears.filter((clear) => clear.channel === subscriber.channel && !isHeard(clear, subscriber));
    return [...faults, ...unheard.map(({ channel }) => `${subscriber.by} is never told that ${channel} was cleared`)];
  });
}

/** Who is told that a log is another one was in another one before. */
function checkToldOnce({ by, channel, begin, received }: Subscriber): string[] {
  const faults: string[] = [];
  let epoch = begin?.epoch;
  for (const one of received) {
    const to = one.type === "gap" ? one.to : one.position;
    if (to === undefined) continue;
    if (one.type === "gap" && one.reason === "EPOCH" && to.epoch === epoch && one.from?.epoch === epoch)
      faults.push(`${by} is told in ${channel} that the log is another one, and knows that already`);
    epoch = to.epoch;
  }
  return faults;
}

function isHeard(clear: Clear, subscriber: Subscriber): boolean {
  const { beganMs, endedMs, epoch } = clear;
  if (epoch === undefined || !isOwed({ beganMs, answeredMs: endedMs }, subscriber)) return true;
  return subscriber.received.some((one) => one.type === "gap" && one.to !== undefined && one.to.epoch >= epoch);
}

/** Whether a clear may have taken what is at this place, or has taken that place from under somebody. */
export function mayBeCleared(
  clears: readonly Clear[],
  channel: string,
  { epoch }: LogPosition,
  beganMs = Number.NEGATIVE_INFINITY,
): boolean {
  return clears.some(
    (clear) => clear.channel === channel && (clear.epoch ?? Infinity) > epoch && (clear.endedMs ?? Infinity) >= beganMs,
  );
}

/** Whether a log may have been cleared within a time. */
export function wasCleared(clears: readonly Clear[], channel: string, fromMs: number, toMs = Infinity): boolean {
  return clears.some((one) => one.channel === channel && one.beganMs <= toMs && (one.endedMs ?? Infinity) >= fromMs);
}

/** Whether a gap tells of a clear. */
export function tellsOfClear(clears: readonly Clear[], channel: string, gap: Received): boolean {
  if (gap.type !== "gap" || gap.reason !== "EPOCH") return false;
  return clears.some((clear) => clear.channel === channel && (clear.epoch ?? gap.to?.epoch) === gap.to?.epoch);
}

/** What was stored before a clear that is done is nowhere any more. @param read what whoever reads the log finds there */
export function checkGone(
  clears: readonly Clear[],
  channel: string,
  published: ReadonlyMap<string, Published>,
  read: Iterable<string>,
): string[] {
  const doneMs = Math.max(...clears.flatMap((one) => (one.channel === channel && one.epoch ? [one.beganMs] : [])));
  return [...read].flatMap((id) => {
    const { outcome, answeredMs = Infinity } = published.get(id) ?? {};
    return outcome === Outcome.STORED && answeredMs < doneMs ? [`${id} is in ${channel}, which was cleared since`] : [];
  });
}
