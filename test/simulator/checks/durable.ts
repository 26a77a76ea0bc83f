import { type LogPosition, Outcome } from "@fanfare/sdk-core";
import { type Ledger, type Published, placeOf, type ReadPage, type Subscriber } from "../ledger.ts";
import { checkCleared } from "./cleared.ts";
import { checkCursors } from "./cursors.ts";
import { checkExcluded, isOwed, type Losses } from "./guarantees.ts";

/** What the guarantees say about durable channels: one order for everybody, no hole, no double, nothing that is STORED is lost. */
export function checkDurable(ledger: Ledger, losses: Losses): string[] {
  const subscribers = ledger.subscribers.filter(({ isDurable }) => isDurable);
  const faults = subscribers.flatMap((subscriber) => checkPlaces(subscriber));
  faults.push(...ledger.pages.flatMap(checkPage), ...checkCursors(ledger, losses), ...checkCleared(ledger, losses));
  faults.push(...checkOneOrder(ledger, subscribers));
  if (losses.logsAreLost) return faults;
  for (const publish of ledger.published.values()) {
    if (publish.outcome !== Outcome.STORED) continue;
    const of = subscribers.filter(({ channel }) => channel === publish.channel);
    faults.push(...of.flatMap((subscriber) => checkStored(publish, subscriber)));
  }
  return faults;
}

/** A subscriber's places follow one another: whatever is left out was told. */
function checkPlaces({ by, channel, begin, received }: Subscriber): string[] {
  const faults: string[] = [];
  let at = begin;
  for (const one of received) {
    if (one.type === "gap") {
      if (one.to !== undefined) at = one.to;
      continue;
    }
    const { id, position } = one;
    if (position === undefined) {
      faults.push(`${by} gets ${id} in ${channel} without a place in the log`);
      continue;
    }
    const follows = at === undefined || (position.epoch === at.epoch && position.offset > at.offset);
    if (!follows) faults.push(`${by} gets ${id} in ${channel} at ${placeOf(position)}, after ${at && placeOf(at)}`);
    at = position;
  }
  return faults;
}

/** A page leaves nothing out, and where there is no more it has reached the end of the log. */
function checkPage({ by, channel, isForward, messages, hasMore, head, tail }: ReadPage): string[] {
  const offsets = messages.map(({ position }) => position?.offset ?? Number.NaN);
  const step = isForward ? 1 : -1;
  const hasHole = offsets.some((offset, i) => i > 0 && offset !== (offsets[i - 1] as number) + step);
  const end = isForward ? head?.offset : (tail?.offset ?? Number.NaN) + 1;
  const begin = isForward ? tail?.offset : (head?.offset ?? Number.NaN) + 1;
  const stopsShort = !hasMore && (offsets.at(-1) ?? begin) !== end;
  if (!hasHole && !stopsShort) return [];
  const log = `${tail && placeOf(tail)} to ${head && placeOf(head)}`;
  return [`${by} reads ${offsets.join(", ")} in ${channel} (${log})${hasMore ? "" : ", and there is no more"}`];
}

/** At one place in a log is one message, for everybody; and one message is at one place of a log. */
function checkOneOrder({ published, pages }: Ledger, subscribers: readonly Subscriber[]): string[] {
  const faults = new Set<string>();
  const byPlace = new Map<string, string>();
  const note = (channel: string, id: string, { epoch, offset, tag }: LogPosition, who: string): void => {
    const key = `${channel} ${epoch}/${offset}-${tag}`;
    const there = byPlace.get(key);
    if (there === undefined) byPlace.set(key, id);
    else if (there !== id) faults.add(`${channel} has ${there} and ${id} at one place, as ${who} knows`);
  };
  for (const { by, channel, received } of subscribers) {
    for (const one of received) {
      if (one.type === "message" && one.position !== undefined) note(channel, one.id, one.position, by);
    }
  }
  for (const { by, channel, messages } of pages) {
    for (const { id, position } of messages) if (position !== undefined) note(channel, id, position, by);
  }
  for (const { id, channel, position, by } of published.values()) {
    if (position !== undefined) note(channel, id, position, by);
  }
  return [...faults];
}

/** A message that is STORED reaches whoever had opened the channel before, or they are told a gap that holds its place. */
function checkStored(publish: Published, subscriber: Subscriber): string[] {
  const { id, channel, position, excludeSelf, by: publisher } = publish;
  const { by, received } = subscriber;
  const found = received.find((one) => one.type === "message" && one.id === id);
  if (excludeSelf && publisher === by) return checkExcluded(publish, found);
  if (found !== undefined || position === undefined || !isOwed(publish, subscriber)) return [];
  const isTold = received.some((one) => one.type === "gap" && one.atMs >= publish.beganMs && holdsPlace(one, position));
  return isTold ? [] : [`${by} has never got ${id} in ${channel}, stored at ${placeOf(position)}, and is told no gap`];
}

/** Whether a place lies behind where a gap begins, and not behind where it ends. */
function holdsPlace(
  { from, to }: { from?: LogPosition | undefined; to?: LogPosition | undefined },
  place: LogPosition,
) {
  const isBehindBegin = from?.epoch !== place.epoch || from.offset < place.offset;
  const isBehindEnd = to?.epoch === place.epoch && to.offset < place.offset;
  return isBehindBegin && !isBehindEnd;
}
