import { type LogPosition, Outcome } from "@fanfare/sdk-core";
import { type Ledger, type Published, placeOf, type Subscriber } from "../ledger.ts";
import { checkExcluded, isOwed, type Losses } from "./guarantees.ts";

/** What the guarantees say about durable channels: one order for everybody, no hole, no double, nothing that is STORED is lost. */
export function checkDurable(ledger: Ledger, losses: Losses): string[] {
  const subscribers = ledger.subscribers.filter(({ isDurable }) => isDurable);
  const faults = subscribers.flatMap((subscriber) => checkPlaces(subscriber));
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

/** At one place in a log is one message, for everybody; and one message is at one place of a log. */
function checkOneOrder({ published }: Ledger, subscribers: readonly Subscriber[]): string[] {
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
  const isTold = received.some(
    (one) =>
      one.type === "gap" &&
      one.atMs >= publish.beganMs &&
      (one.to === undefined ||
        one.to.epoch !== position.epoch ||
        one.from?.epoch !== position.epoch ||
        (one.from.offset < position.offset && position.offset <= one.to.offset)),
  );
  return isTold ? [] : [`${by} has never got ${id} in ${channel}, stored at ${placeOf(position)}, and is told no gap`];
}
