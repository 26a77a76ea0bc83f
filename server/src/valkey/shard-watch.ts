import type { Clock, Timer } from "../clock.ts";
import type { Log } from "../observe/log.ts";
import type { FunctionLoader } from "./function-loader.ts";
import { slotOfTag } from "./hash-slot.ts";
import { isFunctionMissing } from "./reply-errors.ts";
import { type Mark, markOf } from "./reply-mark.ts";
import type { SupervisedClient } from "./supervised-client.ts";
import type { Topology } from "./topology.ts";
import { isAnswer, type Reply } from "./valkey-client.ts";

/** What a {@link ShardWatch} is made of. */
export interface ShardWatchOptions {
  /** The one whose shards are watched. */
  readonly client: SupervisedClient;
  readonly topology: Topology;
  readonly loader: FunctionLoader;
  readonly functionPrefix: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly cluster: boolean;
  /** How long an answer may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Time between two questions to a shard, in milliseconds. Default: 500. */
  readonly pulseMs?: number;
  /** The same while it does not answer, in milliseconds. Default: 100. */
  readonly troubledPulseMs?: number;
  /** Time between two looks at the topology when nothing is wrong, in milliseconds. Default: 5000. */
  readonly lookMs?: number;
  /**
   * For how long an answer proves that no replica has taken over, in milliseconds: less than the `cluster-node-timeout` of Valkey. Default:
   * 1500.
   */
  readonly continuityMs?: number;
  /** How long what a primary lacks that began anew means nothing, in milliseconds: until those have written again whose it was. Default: 3000. */
  readonly settleMs?: number;
}

/** Least time between two times that it asks because something is wrong, in milliseconds. */
const leastBeatMs = 50;
/** Views that are asked for at most, of a large cluster; each node is told of a replacement by the replacement itself. */
const maxNeededViews = 3;

/** A primary. */
interface Shard {
  readonly id: string;
  /** The run of its process; undefined: not known yet. */
  run: string | undefined;
  /** Its epoch when it was confirmed last. */
  epoch: number;
  /** When what it has answered last was sent; -Infinity: it has to be confirmed. */
  provenAtMs: number;
  failingSinceMs: number | undefined;
  /** What it lacks means nothing until then. */
  unsettledUntilMs: number;
  isAsked: boolean;
  isConfirmed: boolean;
}

/** Whether what lies under a hash tag may have been lost. */
export type IsAffected = (tag: string) => boolean;

/**
 * Which primaries can be believed.
 *
 * A primary that stood still while its replica took over can answer from old times when it wakes up, until it hears of that. It takes Valkey at least
 * its node timeout to replace a primary, so an answer is believed only if the same primary answered something else less than that ago, and
 * so on, back to a moment at which other primaries named it. That is why each is asked all the time: a constant number of commands.
 *
 * | state of a shard | event | next |
 * |---|---|---|
 * | unproven | other primaries name it, and it answers | trusted |
 * | trusted | answers within `continuityMs` of what it answered before | trusted |
 * | trusted | answers as another run | unsettled: it has lost what it had; listeners are told |
 * | trusted | answers later | unproven |
 * | unsettled | `settleMs` have passed | trusted |
 * | any | does not answer | failing as well: nothing is sent but pulses, until it answers |
 * | any | its slots have another primary | gone; listeners are told |
 */
export class ShardWatch {
  readonly #options: ShardWatchOptions;
  readonly #shards = new Map<string, Shard>();
  readonly #listeners = new Set<(isAffected: IsAffected) => void>();
  readonly #unlisten: () => void;
  #timer: Timer | undefined;
  #lookedAtMs: number;
  #beatenAtMs = Number.NEGATIVE_INFINITY;
  /** It asks as soon as it may. */
  #isBeating = false;
  #closed = false;
  /** Times that a primary did not answer, and that one began anew. */
  readonly counts = { failures: 0, begunAnew: 0 };

  constructor(options: ShardWatchOptions) {
    this.#options = options;
    this.#lookedAtMs = options.clock.monotonicMs();
    this.#unlisten = options.topology.onMoved((moves) => {
      this.#tell((tag) => moves.some(({ slots }) => slots.has(slotOfTag(tag))));
      this.#beat();
    });
  }

  /** Confirms all primaries that can be reached, and watches from then on. */
  async open(): Promise<void> {
    await this.#askAll();
    this.#schedule();
  }

  close(): void {
    this.#closed = true;
    this.#unlisten();
    this.#timer?.cancel();
  }

  /** Tells what may have been lost. Returns how to stop listening. */
  onUnsettled(listener: (isAffected: IsAffected) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whether what this primary says would be believed now. */
  isTrusted(id: string): boolean {
    const shard = this.#shards.get(id);
    return shard !== undefined && this.#isPrimary(shard);
  }

  /** The same, and it has not begun anew so lately that others are still about to write again what it has lost. */
  isSettled(id: string): boolean {
    const unsettledUntilMs = this.#shards.get(id)?.unsettledUntilMs ?? 0;
    return this.isTrusted(id) && this.#options.clock.monotonicMs() >= unsettledUntilMs;
  }

  /** Whether a primary does not answer. */
  isFailing(id: string): boolean {
    return this.#shards.get(id)?.failingSinceMs !== undefined;
  }

  /** Primaries that do not answer. */
  get failing(): readonly string[] {
    return [...this.#shards.values()].flatMap(({ id, failingSinceMs }) => (failingSinceMs === undefined ? [] : [id]));
  }

  /**
   * Takes note of an answer.
   * @param sentAtMs when what it answers was sent, by the monotonic clock
   * @returns whether it was the primary that answered, and no other has its place. It may lack what it had: see {@link isSettled}
   */
  answered({ node, run }: Mark, sentAtMs: number): boolean {
    const shard = this.#primary(node);
    if (shard === undefined) return false;
    this.#answers(shard);
    if (shard.run !== run) this.#beganAnew(shard, run);
    const isPrimary = this.#isPrimary(shard);
    if (isPrimary) shard.provenAtMs = Math.max(shard.provenAtMs, sentAtMs);
    return isPrimary;
  }

  /**
   * The same for an answer that another library of functions gave to another client: its runs are counted apart, and whether the watch's own client gets
   * through is another matter.
   */
  answeredElsewhere({ node }: Mark, sentAtMs: number): boolean {
    const shard = this.#primary(node);
    if (shard === undefined || !this.#isContinuous(shard)) return false;
    shard.provenAtMs = Math.max(shard.provenAtMs, sentAtMs);
    return true;
  }

  /** Takes note of a primary that was not reached, or has not answered in time. */
  failed(id: string): void {
    const shard = this.#shards.get(id);
    if (shard === undefined || shard.failingSinceMs !== undefined) return;
    shard.failingSinceMs = this.#options.clock.monotonicMs();
    this.counts.failures++;
    this.#options.log.warn("a primary of valkey does not answer", { primary: id });
    this.#beat();
  }

  /** Undefined, and asked about, if it is none as far as is known. */
  #primary(id: string): Shard | undefined {
    const shard = this.#shards.get(id);
    if (shard !== undefined && this.#options.topology.isPrimary(id)) return shard;
    this.#beat();
    return undefined;
  }

  #isPrimary(shard: Shard): boolean {
    return shard.failingSinceMs === undefined && this.#isContinuous(shard);
  }

  #isContinuous({ provenAtMs }: Shard): boolean {
    const { clock, cluster, continuityMs = 1500 } = this.#options;
    return clock.monotonicMs() - provenAtMs <= (cluster ? continuityMs : Number.POSITIVE_INFINITY);
  }

  #answers(shard: Shard): void {
    if (shard.failingSinceMs === undefined) return;
    const downMs = Math.round(this.#options.clock.monotonicMs() - shard.failingSinceMs);
    shard.failingSinceMs = undefined;
    this.#options.log.info("a primary of valkey answers again", { primary: shard.id, downMs });
  }

  /** Its process is another one, or its functions were thrown away: what it had may be gone. */
  #beganAnew(shard: Shard, run: string): void {
    const { clock, log, topology, settleMs = 3000 } = this.#options;
    const isFirst = shard.run === undefined;
    shard.run = run;
    if (isFirst) return;
    shard.unsettledUntilMs = clock.monotonicMs() + settleMs;
    this.counts.begunAnew++;
    log.warn("a primary of valkey has begun anew", { primary: shard.id });
    this.#tell((tag) => topology.primaryOf(tag) === shard.id);
  }

  #tell(isAffected: IsAffected): void {
    for (const listener of this.#listeners) listener(isAffected);
  }

  #schedule(): void {
    if (this.#closed || this.#isBeating) return;
    const { clock, pulseMs = 500, troubledPulseMs = 100 } = this.#options;
    this.#timer?.cancel();
    this.#timer = clock.setTimer(this.#isTroubled ? troubledPulseMs : pulseMs, () => {
      void this.#askAll();
      this.#schedule();
    });
  }

  get #isTroubled(): boolean {
    for (const shard of this.#shards.values()) {
      if (shard.failingSinceMs !== undefined || !this.#isContinuous(shard)) return true;
    }
    return false;
  }

  /** Something is wrong: asks and looks at once, unless it has just done so. */
  #beat(): void {
    this.#lookedAtMs = Number.NEGATIVE_INFINITY;
    // What is about to happen is not put off by who doubts again, however late it is.
    if (this.#closed || this.#isBeating) return;
    const { clock } = this.#options;
    const waitMs = Math.max(0, this.#beatenAtMs + leastBeatMs - clock.monotonicMs());
    this.#beatenAtMs = clock.monotonicMs() + waitMs;
    this.#timer?.cancel();
    this.#isBeating = true;
    this.#timer = clock.setTimer(waitMs, () => {
      this.#isBeating = false;
      void this.#askAll();
      this.#schedule();
    });
  }

  async #askAll(): Promise<void> {
    const { topology, clock, lookMs = 5000 } = this.#options;
    const isTroubled = this.#isTroubled;
    if (isTroubled || topology.primaries.length === 0 || clock.monotonicMs() - this.#lookedAtMs >= lookMs) {
      this.#lookedAtMs = clock.monotonicMs();
      const look = topology.look().catch(() => {});
      if (topology.primaries.length === 0) await look;
    }
    this.#updateShards();
    await Promise.all([...this.#shards.values()].map((shard) => this.#ask(shard)));
  }

  #updateShards(): void {
    const { primaries } = this.#options.topology;
    for (const id of this.#shards.keys()) if (!primaries.includes(id)) this.#shards.delete(id);
    for (const id of primaries) {
      if (this.#shards.has(id)) continue;
      this.#shards.set(id, {
        ...{ id, run: undefined, epoch: 0, provenAtMs: Number.NEGATIVE_INFINITY, failingSinceMs: undefined },
        ...{ unsettledUntilMs: Number.NEGATIVE_INFINITY, isAsked: false, isConfirmed: false },
      });
    }
  }

  /** Asks one primary. */
  async #ask(shard: Shard): Promise<void> {
    if (shard.isAsked) return;
    shard.isAsked = true;
    try {
      const sentAtMs = this.#options.clock.monotonicMs();
      const mark = await this.#mark(shard);
      if (mark === undefined) return;
      // First the answer, then the others: whoever they name now had not been replaced when it answered.
      if (!this.#isContinuous(shard) && (await this.#isNamedByOthers(shard))) this.#confirmed(shard, sentAtMs);
      this.answered(mark, sentAtMs);
    } finally {
      shard.isAsked = false;
    }
  }

  async #mark(shard: Shard): Promise<Mark | undefined> {
    const { client, topology, loader, functionPrefix, timeoutMs, cluster } = this.#options;
    const tag = topology.tagOf(shard.id);
    if (tag === undefined) return undefined;
    const command = ["FCALL", `${functionPrefix}_mark`, "0", cluster ? "1" : "0"];
    // A client that has lost a primary asks any other node instead.
    const isOwn = ([reply]: readonly Reply[]) => isAnswer(reply) && markOf(reply).node === shard.id;
    const ask = () => client.pipeline([command], `{${tag}}`, timeoutMs, shard.id, isOwn);
    try {
      let replies = await ask();
      if (!isOwn(replies) && (await client.reroute(`{${tag}}`, timeoutMs, shard.id))) replies = await ask();
      if (isOwn(replies)) return markOf(replies[0]);
      if (isFunctionMissing(replies[0])) void loader.load(client).catch(() => {});
      else this.failed(shard.id);
    } catch {
      this.failed(shard.id);
    }
    return undefined;
  }

  /**
   * Whether others agree that this is a primary, and take it for alive: so many that one of them would have voted for its replacement, and knows of
   * it.
   */
  async #isNamedByOthers({ id }: Shard): Promise<boolean> {
    const { topology, cluster } = this.#options;
    if (!cluster) return true;
    const views = await topology.lookAfresh().catch(() => []);
    const others = views.filter(({ by }) => by !== id).map(({ nodes }) => nodes.get(id));
    const isAgreed = others.every((node) => node?.isPrimary === true && !node.isFailing);
    return isAgreed && topology.isPrimary(id) && others.length >= neededViews(topology.primaries.length);
  }

  #confirmed(shard: Shard, sentAtMs: number): void {
    const { topology } = this.#options;
    const epoch = topology.epochOf(shard.id);
    shard.provenAtMs = sentAtMs;
    // In the meantime another may have had its place.
    const isAgain = shard.isConfirmed && epoch > shard.epoch;
    shard.epoch = epoch;
    shard.isConfirmed = true;
    if (isAgain) this.#tell((tag) => topology.primaryOf(tag) === shard.id);
  }
}

/** How many of so many primaries have to be asked so that one is among them without which there is no majority of votes. */
function neededViews(primaries: number): number {
  return Math.min(maxNeededViews, Math.max(0, primaries - 1 - Math.floor(primaries / 2)));
}
