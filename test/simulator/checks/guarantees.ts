import { Outcome } from "@fanfare/sdk-core";
import type { Ledger, Published, Received, Subscriber } from "../ledger.ts";
import { checkDurable } from "./durable.ts";

/** What happened in a run that excuses a loss. */
export interface Losses {
  /** Logs were lost as a whole, because all that held them is gone: what was stored may be missing, and everybody is told. */
  readonly logsAreLost: boolean;
  /** A replica was late, so that its primary alone had what was acknowledged of memberships, bans and sessions; an election may have lost it. */
  readonly changesAreLost: boolean;
  /** Nodes died, stood still or were cut off: where a session came back nobody may know what its node had done with its last publishes. */
  readonly nodesAreLost: boolean;
}

/** How long what was answered may be on its way to a receiver that has just left, in milliseconds. */
const onItsWayMs = 15_000;

/** Holds what clients saw against the guarantees of the protocol (section 19). @returns what is wrong, in sentences */
export function checkGuarantees(ledger: Ledger, losses: Losses): string[] {
  const subscribers = [...ledger.subscribers];
  return [
    ...subscribers.flatMap((subscriber) => checkOrder(subscriber, ledger.published, losses)),
    ...[...ledger.published.values()].flatMap((publish) => checkOutcome(publish, subscribers, losses)),
    ...checkDurable(ledger, losses),
  ];
}

/** Each origin's messages in the order of their numbers and each once, and nothing that nobody has published there. */
function checkOrder(
  { by, channel, received }: Subscriber,
  published: ReadonlyMap<string, Published>,
  { logsAreLost }: Losses,
): string[] {
  const faults: string[] = [];
  const last = new Map<string, number>();
  const seen = new Map<string, Received & { type: "message" }>();
  for (const message of received) {
    if (message.type !== "message") continue;
    const { id, origin, seq, isVolatile } = message;
    const publish = published.get(id);
    if (publish === undefined || publish.channel !== channel || publish.isVolatile !== isVolatile) {
      faults.push(`${by} gets ${id} in ${channel}, and nobody has published that there`);
      continue;
    }
    const first = seen.get(id);
    // A log that was lost knows no idempotency keys: what the backend repeats at another node is another message to it, and to its readers.
    const isStoredAnew = logsAreLost && first?.origin !== origin && first?.position?.epoch !== message.position?.epoch;
    if (first !== undefined && !isStoredAnew) faults.push(`${by} gets ${id} in ${channel} twice`);
    seen.set(id, message);
    const key = `${origin} ${isVolatile}`;
    const before = last.get(key) ?? 0;
    if (seq <= before) faults.push(`${by} gets ${id} (${seq}) in ${channel} after ${before} of the same origin`);
    last.set(key, Math.max(before, seq));
  }
  return faults;
}

function checkOutcome(publish: Published, subscribers: readonly Subscriber[], { nodesAreLost }: Losses): string[] {
  const of = subscribers.filter(({ channel }) => channel === publish.channel);
  switch (publish.outcome) {
    case Outcome.DELIVERED:
      return of.flatMap((subscriber) => checkDelivered(publish, subscriber));
    case Outcome.FAILED:
    case Outcome.OFFLINE:
      // Of a repeat the answer tells what became of the repeat; receivers know that it is one.
      if (publish.isRepeated && nodesAreLost) return [];
      return of
        .filter(({ received }) => received.some((one) => one.type === "message" && one.id === publish.id))
        .map(({ by }) => `${publish.id} is ${Outcome[publish.outcome as Outcome]} to its publisher, and ${by} gets it`);
    default:
      return [];
  }
}

/** A live message that is DELIVERED reaches whoever had opened the channel before it was published, or they are told a gap. */
function checkDelivered(publish: Published, subscriber: Subscriber): string[] {
  const { id, channel, excludeSelf, by: publisher } = publish;
  const { by, received } = subscriber;
  const index = received.findIndex((one) => one.type === "message" && one.id === id);
  if (excludeSelf && publisher === by) return checkExcluded(publish, received[index]);
  if (index >= 0 || !isOwed(publish, subscriber)) return [];
  return gapStandsFor(publish, received)
    ? []
    : [`${by} has never got ${id} in ${channel}, is told no gap, and it is DELIVERED`];
}

/** A session does not get what it has published without itself; the next session of that client does. */
export function checkExcluded({ id, by, session }: Published, received: Received | undefined): string[] {
  if (received?.type !== "message" || received.session !== session) return [];
  return [`${by} gets ${id}, which it has published without itself`];
}

/** Whether a subscriber had opened the channel before, and stayed, and heard its node, for long enough. */
export function isOwed(
  { beganMs, answeredMs }: Pick<Published, "beganMs" | "answeredMs">,
  { openedMs, endedMs, heardMs }: Subscriber,
): boolean {
  if (openedMs >= beganMs) return false;
  const untilMs = Math.min(endedMs ?? Infinity, heardMs ?? Infinity);
  return untilMs > (answeredMs ?? beganMs) + onItsWayMs;
}

/** Whether a gap was told in the place of a message: after it was published, and before anything newer of its publisher came. */
function gapStandsFor({ id, beganMs }: Published, received: readonly Received[]): boolean {
  const [publisher = "", number = ""] = splitId(id);
  const newer = received.findIndex((one) => {
    if (one.type !== "message" || one.isVolatile) return false;
    const [otherPublisher, otherNumber] = splitId(one.id);
    return otherPublisher === publisher && Number(otherNumber) > Number(number);
  });
  const before = newer < 0 ? received : received.slice(0, newer);
  return before.some((one) => one.type === "gap" && one.atMs >= beganMs);
}

function splitId(id: string): [string, string] {
  const dot = id.lastIndexOf(".");
  return [id.slice(0, dot), id.slice(dot + 1)];
}
