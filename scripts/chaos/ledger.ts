/** A message, from where it was published to whoever gets it. */
export interface Sent {
  readonly channel: string;
  /** The number in its text. */
  readonly publisher: number;
  /** The player. */
  readonly from: string;
  readonly seq: number;
  readonly sentAtMs: number;
  readonly durable: boolean;
  outcome: "pending" | "delivered" | "stored" | "offline" | "failed" | "unknown";
  answeredAtMs: number;
  /** Why it failed or is unknown, as its sender was told. */
  reason?: string;
}

/** What one subscriber saw of one channel, from the moment it was opened. */
export interface Seen {
  readonly subscriber: string;
  readonly channel: string;
  readonly openedAtMs: number;
  readonly messages: { readonly publisher: number; readonly seq: number; readonly atMs: number }[];
  readonly gaps: Gap[];
}

/** A gap that a subscriber was told of. */
export interface Gap {
  readonly atMs: number;
  /** As the SDK names it. */
  readonly reason: string;
  /** Positions of a durable channel, `epoch:offset`. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** A message that one subscriber has not received. Times by the monotonic clock, in milliseconds. */
export interface Loss {
  readonly channel: string;
  readonly publisher: number;
  readonly seq: number;
  readonly subscriber: string;
  readonly sentAtMs: number;
  readonly answeredAtMs: number;
  /** When the subscriber was told of gaps in this channel. */
  readonly gapsAtMs: readonly number[];
}

/** A message that one subscriber has waited for the longest. */
export interface Slow extends Pick<Loss, "channel" | "publisher" | "seq" | "subscriber" | "sentAtMs"> {
  readonly tookMs: number;
}

/** Losses that are described, refusals, and gaps. */
const maxLosses = 20;

/** What became of the messages of one class. */
export interface ClassFigures {
  sent: number;
  delivered: number;
  offline: number;
  failed: number;
  unknown: number;
  pending: number;
  /** Deliveries that the subscribers should have had. */
  due: number;
  received: number;
  /** Neither the sender was told, nor the receiver of a gap. */
  lost: number;
  /** Some of them, for whoever looks for the reason. */
  readonly losses: Loss[];
  /** Some of what failed or is unknown. */
  readonly refusals: Sent[];
  /** Not received, and the receiver was told of a gap. */
  toldAsGap: number;
  doubled: number;
  reordered: number;
  /** Told to subscribers, whether they have missed something or not. */
  gaps: number;
  /** Some of them. */
  readonly toldGaps: (Gap & Pick<Loss, "channel" | "subscriber">)[];
  /** From publishing to receiving, in milliseconds. */
  longestStallMs: number;
  /** The same, and of messages that met with a fault from when what had failed was served again. */
  longestArrivalAfterMs: number;
  /** The message that took longest. */
  slowest: Slow | undefined;
  /** The same of messages that no fault overlapped: what the machine itself is to blame for. */
  quietStallMs: number;
  /** The same of messages that a fault did overlap. */
  faultStallMs: number;
  p50Ms: number;
  p99Ms: number;
  /** From publishing to the answer, in milliseconds. */
  longestAnswerMs: number;
  /** The same, and of messages that met with a fault from when what had failed was served again. */
  longestAnswerAfterMs: number;
}

/**
 * How long after a message was answered, or the fault was over that it met with, its receiver may be told of the gap, in milliseconds: until the
 * lease of a node has lapsed (6 s) and the others have seen it.
 */
const gapAfterMs = 8_000;
/** How long before the message. */
const gapBeforeMs = 1_000;
/** What is answered may be on its way for so long, in milliseconds, and meet with a fault there. */
const onItsWayMs = 1_000;

/** What was the case when. */
export interface Circumstances {
  /** Whether there was a fault between two times. Default: there was none. */
  readonly isFaulty?: (fromMs: number, toMs: number) => boolean;
  /** When the fault ended that there was between two times: nobody can be told before. Default: the later time, there was none. */
  readonly faultOverMs?: (fromMs: number, toMs: number) => number;
  /** When the first fault began after a time. Default: there was none. */
  readonly nextFaultMs?: (afterMs: number) => number;
  /** When what had failed between two times was served again. Default: the earlier time, nothing had. */
  readonly mendedMs?: (fromMs: number, toMs: number) => number;
  /** Times of what was sent before are not judged: processes that have just started are slow. Default: 0. */
  readonly warmAtMs?: number;
}

/** Holds what was sent against what was seen. */
export function judge(
  sent: readonly Sent[],
  seen: readonly Seen[],
  durable: boolean,
  {
    isFaulty = () => false,
    faultOverMs = (_, toMs) => toMs,
    nextFaultMs = () => Number.POSITIVE_INFINITY,
    mendedMs = (fromMs) => fromMs,
    warmAtMs = 0,
  }: Circumstances = {},
): ClassFigures {
  const mine = sent.filter((one) => one.durable === durable);
  const count = (outcome: Sent["outcome"]) => mine.filter((one) => one.outcome === outcome).length;
  const answered = mine.filter(({ sentAtMs, outcome }) => sentAtMs >= warmAtMs && outcome !== "pending");
  const longest = (from: (one: Sent) => number) =>
    Math.round(answered.reduce((most, one) => Math.max(most, one.answeredAtMs - from(one)), 0));
  const figures: ClassFigures = {
    sent: mine.length,
    delivered: count("delivered") + count("stored"),
    offline: count("offline"),
    failed: count("failed"),
    unknown: count("unknown"),
    pending: count("pending"),
    due: 0,
    received: 0,
    lost: 0,
    losses: [],
    refusals: mine.filter(({ outcome }) => outcome === "failed" || outcome === "unknown").slice(0, maxLosses),
    toldAsGap: 0,
    doubled: 0,
    reordered: 0,
    gaps: 0,
    toldGaps: [],
    longestStallMs: 0,
    longestArrivalAfterMs: 0,
    slowest: undefined,
    quietStallMs: 0,
    faultStallMs: 0,
    p50Ms: 0,
    p99Ms: 0,
    longestAnswerMs: longest(({ sentAtMs }) => sentAtMs),
    longestAnswerAfterMs: longest(({ sentAtMs, answeredAtMs }) => mendedMs(sentAtMs, answeredAtMs)),
  };
  const latencies: number[] = [];
  const byChannel = Map.groupBy(mine, ({ channel }) => channel);
  for (const view of seen) {
    const published = byChannel.get(view.channel);
    if (published === undefined) continue;
    const sentAt = new Map(published.map((one) => [`${one.publisher}:${one.seq}`, one.sentAtMs]));
    figures.gaps += view.gaps.length;
    const { channel, subscriber } = view;
    const described = view.gaps.slice(0, maxLosses - figures.toldGaps.length);
    figures.toldGaps.push(...described.map((gap) => ({ channel, subscriber, ...gap })));
    figures.received += view.messages.length;
    const got = new Set<string>();
    const last = new Map<number, number>();
    for (const { publisher, seq, atMs } of view.messages) {
      const id = `${publisher}:${seq}`;
      if (got.has(id)) figures.doubled++;
      else if ((last.get(publisher) ?? 0) > seq) figures.reordered++;
      got.add(id);
      last.set(publisher, Math.max(seq, last.get(publisher) ?? 0));
      const at = sentAt.get(id);
      if (at === undefined || at < warmAtMs) continue;
      latencies.push(atMs - at);
      figures.longestArrivalAfterMs = Math.max(figures.longestArrivalAfterMs, Math.round(atMs - mendedMs(at, atMs)));
      if (figures.slowest === undefined || atMs - at > figures.slowest.tookMs) {
        figures.slowest = { channel, publisher, seq, subscriber, sentAtMs: at, tookMs: atMs - at };
      }
      const which = isFaulty(at, atMs) ? "faultStallMs" : "quietStallMs";
      figures[which] = Math.max(figures[which], Math.round(atMs - at));
    }
    for (const one of published) {
      const isDue = one.outcome === "delivered" || one.outcome === "stored";
      if (!isDue || one.sentAtMs < view.openedAtMs) continue;
      figures.due++;
      if (got.has(`${one.publisher}:${one.seq}`)) continue;
      const overMs = faultOverMs(one.sentAtMs, one.answeredAtMs + onItsWayMs);
      // A gap that the next fault leads to is about something else.
      const untilMs = Math.min(overMs + gapAfterMs, nextFaultMs(overMs));
      const told = view.gaps.some(({ atMs: at }) => at > one.sentAtMs - gapBeforeMs && at < untilMs);
      if (told && !durable) figures.toldAsGap++;
      else {
        figures.lost++;
        const { publisher, seq, sentAtMs, answeredAtMs } = one;
        const gapsAtMs = view.gaps.map(({ atMs }) => atMs);
        if (figures.losses.length < maxLosses) {
          figures.losses.push({ channel, publisher, seq, subscriber, sentAtMs, answeredAtMs, gapsAtMs });
        }
      }
    }
  }
  latencies.sort((a, b) => a - b);
  figures.longestStallMs = Math.round(latencies.at(-1) ?? 0);
  figures.p50Ms = quantile(latencies, 0.5);
  figures.p99Ms = quantile(latencies, 0.99);
  return figures;
}

/** Of sorted values; 0 without any. */
export function quantile(sorted: readonly number[], share: number): number {
  return Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 10) / 10;
}
