import type { Seen, Sent } from "./ledger.ts";
import type { Strike, StruckSpan, Whereabouts } from "./whereabouts.ts";

/** What became of live messages between sessions at nodes that nothing was done to, while something was done to another. */
export interface ElsewhereFigures {
  /** Deliveries from such sessions to such sessions, whatever their senders were told. */
  due: number;
  missed: number;
  /** Told to such sessions, of channels of any class. */
  gaps: number;
  /** Failed, unknown or offline, and all who should have got it were at such nodes. */
  failed: number;
  /** Some of what was missed or failed, for whoever looks for the reason. */
  readonly examples: {
    readonly channel: string;
    readonly from: string;
    readonly seq: number;
    readonly why: string;
  }[];
}

/**
 * How long after a strike the other nodes may count its node among those that have a receiver of a group, in milliseconds: until its lease has
 * lapsed (6 s) and they have seen it. So long an answer may say that not everybody was reached.
 */
const forgottenAfterMs = 8_000;
const maxExamples = 20;

/** Holds what was said between sessions that were not struck against what the others of them saw. All 0 where nothing was done to any node. */
export function judgeElsewhere(
  sent: readonly Sent[],
  seen: readonly Seen[],
  whereabouts: Whereabouts,
  strikes: readonly Strike[],
): ElsewhereFigures {
  const spans = new Map<string, readonly StruckSpan[]>();
  const spansOf = (client: string): readonly StruckSpan[] => {
    const known = spans.get(client) ?? whereabouts.struckSpans(client, strikes);
    spans.set(client, known);
    return known;
  };
  const isStruck = (client: string, fromMs: number, toMs: number) =>
    spansOf(client).some((span) => span.fromMs <= toMs && fromMs <= span.toMs);
  const figures: ElsewhereFigures = { due: 0, missed: 0, gaps: 0, failed: 0, examples: [] };
  if (strikes.length === 0) return figures;
  const note = ({ channel, from, seq, sentAtMs, answeredAtMs }: Sent, what: string): void => {
    const last = strikes.findLast(({ fromMs }) => fromMs <= answeredAtMs);
    const [sinceMs, tookMs] = [sentAtMs - (last?.fromMs ?? 0), answeredAtMs - sentAtMs].map(Math.round);
    const why = `${what}, after ${tookMs} ms; sent ${sinceMs} ms after ${last?.nodeId ?? "nothing"} was struck`;
    if (figures.examples.length < maxExamples) figures.examples.push({ channel, from, seq, why });
  };

  const answered = sent.filter(
    ({ durable, outcome, from, sentAtMs, answeredAtMs }) =>
      !durable && outcome !== "pending" && !isStruck(from, sentAtMs, answeredAtMs),
  );
  const byChannel = Map.groupBy(answered, ({ channel }) => channel);
  for (const { subscriber, channel, openedAtMs, messages, gaps } of seen) {
    figures.gaps += gaps.filter(({ atMs }) => !isStruck(subscriber, atMs, atMs)).length;
    const got = new Set(messages.map(({ publisher, seq }) => `${publisher}:${seq}`));
    for (const one of byChannel.get(channel) ?? []) {
      if (one.sentAtMs < openedAtMs || isStruck(subscriber, one.sentAtMs, one.answeredAtMs)) continue;
      figures.due++;
      if (got.has(`${one.publisher}:${one.seq}`)) continue;
      figures.missed++;
      note(one, `${subscriber} has not got it, and its sender was told ${one.outcome}`);
    }
  }

  const subscribers = Map.groupBy(seen, ({ channel }) => channel);
  for (const one of answered) {
    if (one.outcome === "delivered") continue;
    const its = subscribers.get(one.channel) ?? [];
    const isMeant = ({ subscriber }: Seen) => isStruck(subscriber, one.sentAtMs, one.answeredAtMs);
    const mayStillCount = ({ subscriber }: Seen) =>
      spansOf(subscriber).some(({ fromMs }) => fromMs <= one.answeredAtMs && one.sentAtMs <= fromMs + forgottenAfterMs);
    if (its.length > 0 && (its.every(isMeant) || its.some(mayStillCount))) continue;
    figures.failed++;
    note(one, `its sender was told ${one.outcome}`);
  }
  return figures;
}
