import { Outcome } from "@fanfare/sdk-core";
import type { BackendCall } from "../game-backend.ts";
import { type Ledger, type Published, playerOf, type Subscriber } from "../ledger.ts";
import { type Plan, roomyQueueBytes, type Step } from "../plan.ts";
import { mayBeCleared, tellsOfClear, wasCleared } from "./cleared.ts";
import { isOwed } from "./guarantees.ts";
import { checkNoFlicker } from "./presence.ts";

const ownWill = new Set<Step["do"]>([
  ...(["connect", "close", "join", "leave", "publish", "send", "show", "commit", "look-back"] as const),
  ...(["add-member", "remove-member", "kick", "ban", "call", "clear", "set-rules", "announce"] as const),
]);
const planned = new Set<Step["do"]>([...ownWill, "drain-node", "fail-over", "migrate"]);

/** How long what a client sends takes to its node at most, in milliseconds. */
const toNodeMs = 1_000;

/** Whether a step takes no node away, and nobody's connection. */
export function harmsNobody(step: Step): boolean {
  return planned.has(step.do) && step.do !== "drain-node";
}

/** What holds beside the guarantees where nothing goes wrong, or only what is planned happens. @returns what is wrong, in sentences */
export function checkCalm(plan: Plan, ledger: Ledger, calls: readonly BackendCall[]): string[] {
  const isQuiet = plan.steps.every((step) => ownWill.has(step.do));
  const isPlanned = plan.steps.every((step) => planned.has(step.do));
  // Somebody has to take over the clients of a node that is drained, and their sessions.
  const canMove = plan.nodes > 1 && plan.timing.resumeWindowMs > 0;
  // Where little may wait a burst is too much, and whoever is slow is sent away.
  const isRoomy = plan.linkBounds === "roomy" && plan.sendQueueBytes >= roomyQueueBytes;
  if (!isRoomy || (!isQuiet && !(isPlanned && canMove))) return [];
  // Whose ban is over at one node can be banned yet at another, where it should move to: their clocks differ.
  const banned = new Set(isQuiet ? [] : calls.filter(({ step }) => step.do === "ban").map(({ playerId }) => playerId));
  const canStay = (by = "") => !banned.has(playerOf(by));
  return [
    ...ledger.subscribers.filter(({ by }) => canStay(by)).flatMap((subscriber) => gapsOf(subscriber, plan, ledger)),
    ...outcomesOf(ledger, plan, canStay),
    ...checkNoFlicker(ledger, ({ origin }) => canStay(ledger.runs.get(origin))),
    ...(isQuiet ? [...volatileOf(ledger, calls), ...callsOf(calls), ...logsOf(ledger)] : []),
  ];
}

/** Nobody is told a gap, unless a log is too short for whoever reads it, or was cleared. */
function gapsOf({ by, channel, received }: Subscriber, { maxMessages }: Plan, { clears }: Ledger): string[] {
  return received.flatMap((one) => {
    if (one.type !== "gap" || (one.reason === "TRIMMED" && maxMessages < 100)) return [];
    if (tellsOfClear(clears, channel, one)) return [];
    return [`${by} is told a gap in ${channel} (${one.reason}), and nothing has gone wrong`];
  });
}

/** Every message is delivered or stored, if its publisher stays to hear it. A log that is short, or was cleared meanwhile, may have forgotten what is repeated. */
function outcomesOf(
  { published, subscribers, clears }: Ledger,
  { maxMessages }: Plan,
  canStay: (by: string) => boolean,
): string[] {
  const closedMs = new Map(
    subscribers.filter(({ channel }) => channel === "broadcast").map((one) => [one.by, one.endedMs]),
  );
  return [...published.values()].flatMap(({ id, by, channel, isVolatile, outcome, beganMs, answeredMs, error }) => {
    const leftMs = closedMs.get(by);
    const isHeard = leftMs === undefined || (answeredMs !== undefined && answeredMs < leftMs);
    const isWell = outcome === Outcome.DELIVERED || outcome === Outcome.STORED || outcome === Outcome.OFFLINE;
    const mayForget = maxMessages < 100 || wasCleared(clears, channel, beganMs, answeredMs);
    const isForgotten = outcome === Outcome.UNKNOWN && error.endsWith("identity forgotten") && mayForget;
    if (isVolatile || !isHeard || isWell || isForgotten || !canStay(by)) return [];
    return [
      `${id} is ${outcome === undefined ? "not answered" : Outcome[outcome]} (${error}), and nothing has gone wrong`,
    ];
  });
}

/** Every call of the backend is carried out; a client may be gone that is called. */
function callsOf(calls: readonly BackendCall[]): string[] {
  return calls
    .filter(({ step, endedMs, error }) => endedMs === undefined || (error !== undefined && step.do !== "call"))
    .map(({ name, step, playerId, error }) => `${name}, ${step.do} ${playerId}, ${error ?? "is not answered"}`);
}

/** Who stays can store how far it has read, unless the log was cleared since, and read a log. */
function logsOf({ commits, clears, refusedPages }: Ledger): string[] {
  const refused = commits.filter(
    ({ channel, position, error, endedMs }) =>
      endedMs !== undefined && !(error.startsWith("POSITION_INVALID") && mayBeCleared(clears, channel, position)),
  );
  return [...refused, ...refusedPages]
    .filter(({ error }) => error !== "" && !/^(SESSION_ENDED|CANCELLED|BANNED)\b/.test(error))
    .map(({ by, channel, error }) => `${by} is refused in ${channel} (${error}), and nothing has gone wrong`);
}

/** Volatile messages come too, but for those in whose place a newer one came, and those that may have met the end of their session at the node. */
function volatileOf({ published, subscribers }: Ledger, calls: readonly BackendCall[]): string[] {
  return [...published.values()].flatMap((publish) => {
    const { id, channel, isVolatile, excludeSelf, conflate, error, by } = publish;
    if (!isVolatile || conflate !== undefined || error !== "" || mayBeEnded(publish, calls)) return [];
    return subscribers
      .filter((subscriber) => subscriber.channel === channel && isOwed(publish, subscriber))
      .filter((subscriber) => !(excludeSelf && subscriber.by === by))
      .filter(({ received }) => !received.some((one) => one.type === "message" && one.id === id))
      .map((subscriber) => `${subscriber.by} has never got ${id} in ${channel}, volatile, and nothing has gone wrong`);
  });
}

/** The client may not know of it yet, or have closed before it did; one that was about to connect may be ended, too. */
function mayBeEnded({ by, beganMs }: Published, calls: readonly BackendCall[]): boolean {
  return calls.some(
    ({ step, sessions, ...call }) =>
      (step.do === "kick" || step.do === "ban") &&
      call.beganMs <= beganMs + toNodeMs &&
      [...sessions.keys()].some(({ name }) => name === by),
  );
}
