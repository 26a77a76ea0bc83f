import type { Clock } from "../clock.ts";
import type { Log } from "../observe/log.ts";
import { RefusalLog } from "./refusal-log.ts";
import { isConnectionFailure, isMisrouted } from "./reply-errors.ts";
import { markOf } from "./reply-mark.ts";
import { type Command, type Destination, isAnswer, type Reply, type ValkeyClient } from "./valkey-client.ts";

/** Two commands that do nothing, each answered with the mark of whoever carried it out. */
export interface WhoAnswers {
  /** Without a key: carried out, or refused, by the node that the client library sends it to. */
  readonly anywhere: Command;
  /** With a key of the slot: a node that is not its primary sends the client on. */
  readonly atPrimary: (slotOf: string) => Command;
}

/** What a {@link SupervisedClient} is made of. */
export interface SupervisedClientOptions {
  /** Makes a client: the first, or one that replaces another. */
  readonly connect: (isFirst: boolean) => Promise<ValkeyClient>;
  readonly clock: Clock;
  readonly log: Log;
  /** What it is for; for the log. */
  readonly name: string;
  /** Nothing but failures for this long, in milliseconds: the client is replaced. Default: 1000. */
  readonly replaceAfterMs?: number;
  /** Least time between two replacements, in milliseconds. Default: 1000. */
  readonly replaceIntervalMs?: number;
  /** How long a replaced client may finish what it has under way, in milliseconds. Default: 5000. */
  readonly lingerMs?: number;
  /** Told of each replacement. */
  readonly onReplaced?: () => void;
  /** How the client library is shown another primary. Default: it is not, and finds out by what it is told to do. */
  readonly whoAnswers?: WhoAnswers | undefined;
}

/** What clients count. */
export interface ClientCounts {
  /** Times that one did not recover and was replaced. */
  readonly replaced: number;
  /** Times that it was to be, and nobody could be connected to. */
  readonly replacementsFailed: number;
  /** Times that it had to be shown another primary. */
  readonly rerouted: number;
}

/** What clients have counted together. */
export function countsOf(clients: readonly SupervisedClient[]): ClientCounts {
  const sum = (of: keyof ClientCounts): number => clients.reduce((total, { counts }) => total + counts[of], 0);
  return { replaced: sum("replaced"), replacementsFailed: sum("replacementsFailed"), rerouted: sum("rerouted") };
}

/** For so long after a change of the topology a client that fails is replaced at once, and again after so long, in milliseconds. */
const changeMs = 3000;
const changeIntervalMs = 300;
/** Attempts side by side: one that began before a topology changed may hang. */
const maxAttempts = 3;

/**
 * A client that is replaced when it does not recover. After the death of a primary a GLIDE client can stay wedged for 18 s, where a fresh one
 * works as soon as a replica is elected.
 *
 * The user reports failures by place (a shard), because one shard may be wedged while the others answer.
 *
 * It also sees to it that the client knows where to go. GLIDE learns of another primary by a redirection and by nothing else, and after a planned
 * failover the former primary, now a replica, redirects neither commands without a key nor `SPUBLISH`: a client that sends nothing else
 * goes on to it for good.
 */
export class SupervisedClient implements ValkeyClient {
  readonly #options: SupervisedClientOptions;
  readonly #refusals: RefusalLog;
  #client: ValkeyClient;
  #closed = false;
  /** Attempts to replace the client that are under way, and numbers of the last one, and of the last one that succeeded. */
  #attempts = 0;
  #attempt = 0;
  #succeeded = 0;
  #replacedAtMs = Number.NEGATIVE_INFINITY;
  /** Since when nothing but failures came from a place. At most one entry a shard. */
  readonly #failingSince = new Map<string, number>();
  /** Under way, by place. */
  readonly #rerouting = new Map<string, Promise<boolean>>();
  #replacement: Promise<void> | undefined;
  /** When the topology changed last. */
  #changedAtMs = Number.NEGATIVE_INFINITY;
  readonly #counts = { replaced: 0, replacementsFailed: 0, rerouted: 0 };

  private constructor(options: SupervisedClientOptions, client: ValkeyClient) {
    this.#options = options;
    this.#refusals = new RefusalLog(options);
    this.#client = client;
  }

  /** @throws what connecting threw */
  static async connect(options: SupervisedClientOptions): Promise<SupervisedClient> {
    return new SupervisedClient(options, await options.connect(true));
  }

  async send(command: Command, destination?: Destination, place = ""): Promise<Reply> {
    return await this.#supervise(place, () => this.#client.send(command, destination));
  }

  /** @param isOwn whether the replies are the place's own; default: they are if none of them says otherwise */
  async pipeline(
    commands: readonly Command[],
    slotOf: string,
    timeoutMs: number,
    place = "",
    isOwn: (replies: readonly Reply[]) => boolean = () => true,
  ): Promise<readonly Reply[]> {
    const work = async () => {
      const replies = await this.#client.pipeline(commands, slotOf, timeoutMs);
      // A batch is answered although nobody was reached.
      if (replies.length > 0 && replies.every(isConnectionFailure)) throw replies[0];
      this.#refusals.noteAll(replies);
      return replies;
    };
    return await this.#supervise(place, work, (replies) => {
      const isReached = !replies.some(isUnreached) && isOwn(replies);
      if (!isReached) void this.reroute(slotOf, timeoutMs, place);
      return isReached;
    });
  }

  /**
   * Shows the client library the primary of a slot. Joins what is under way for the place. Never throws.
   * @returns whether it has gone elsewhere before, as far as is known
   */
  reroute(slotOf: string, timeoutMs: number, place = ""): Promise<boolean> {
    const { whoAnswers } = this.#options;
    if (whoAnswers === undefined || this.#closed) return Promise.resolve(false);
    const known = this.#rerouting.get(place);
    if (known !== undefined) return known;
    const rerouting = this.#reroute(whoAnswers, slotOf, timeoutMs).finally(() => this.#rerouting.delete(place));
    this.#rerouting.set(place, rerouting);
    return rerouting;
  }

  /** See {@link ClientCounts}. */
  get counts(): ClientCounts {
    return this.#counts;
  }

  /** Whether a place has given nothing but failures lately. */
  isFailing(place: string): boolean {
    return this.#failingSince.has(place);
  }

  /** The topology has changed: a client with a place that fails is replaced at once, because a fresh one knows where to go. */
  topologyChanged(): void {
    this.#changedAtMs = this.#options.clock.monotonicMs();
    if (this.#failingSince.size > 0) this.#replace();
  }

  /** What was sent to a place is waited for no longer. */
  gaveUp(place: string): void {
    this.#failed(place);
  }

  /** While the client is being replaced: when that has succeeded or failed. Does not throw. */
  get replacement(): Promise<void> | undefined {
    return this.#replacement;
  }

  close(): void {
    this.#closed = true;
    this.#client.close();
  }

  async #reroute({ anywhere, atPrimary }: WhoAnswers, slotOf: string, timeoutMs: number): Promise<boolean> {
    const commands = [anywhere, atPrimary(slotOf)];
    const [here, there] = await this.#client.pipeline(commands, slotOf, timeoutMs).catch(() => []);
    if (!isAnswer(there)) return false;
    const wasElsewhere = !isAnswer(here) || markOf(here).node !== markOf(there).node;
    if (wasElsewhere) {
      this.#counts.rerouted++;
      this.#options.log.info("valkey client rerouted", { client: this.#options.name, to: markOf(there).node });
    }
    return wasElsewhere;
  }

  async #supervise<Result>(
    place: string,
    work: () => Promise<Result>,
    isReached: (result: Result) => boolean = () => true,
  ): Promise<Result> {
    try {
      const result = await work();
      if (isReached(result)) this.#failingSince.delete(place);
      else this.#failed(place);
      return result;
    } catch (reason) {
      this.#refusals.note(reason);
      if (isUnreached(reason)) this.#failed(place);
      else this.#failingSince.delete(place);
      throw reason;
    }
  }

  #failed(place: string): void {
    const { clock, replaceAfterMs = 1000, replaceIntervalMs = 1000 } = this.#options;
    const nowMs = clock.monotonicMs();
    const since = this.#failingSince.get(place);
    if (since === undefined) this.#failingSince.set(place, nowMs);
    // One that was made while servers still named the former primary does not get well, and is not given time to.
    const isEarly = nowMs - this.#changedAtMs < changeMs;
    const isTooLong = isEarly || nowMs - (since ?? nowMs) >= replaceAfterMs;
    const intervalMs = isEarly ? Math.min(changeIntervalMs, replaceIntervalMs) : replaceIntervalMs;
    if (isTooLong && nowMs - this.#replacedAtMs >= intervalMs && this.#attempts === 0) this.#replace();
  }

  #replace(): void {
    if (this.#closed || this.#attempts >= maxAttempts) return;
    const replacement = this.#connectAnew().finally(() => {
      if (this.#replacement === replacement) this.#replacement = undefined;
    });
    this.#replacement = replacement;
  }

  /** Of attempts side by side the one that began last counts: it knows most of the topology. */
  async #connectAnew(): Promise<void> {
    this.#attempts++;
    const number = ++this.#attempt;
    const { connect, clock, log, name, lingerMs = 5000, onReplaced } = this.#options;
    try {
      const fresh = await connect(false);
      if (this.#closed || number < this.#succeeded) return fresh.close();
      this.#succeeded = number;
      const stale = this.#client;
      this.#client = fresh;
      this.#failingSince.clear();
      this.#counts.replaced++;
      onReplaced?.();
      log.warn("valkey client replaced, because it did not recover", { client: name });
      clock.setTimer(lingerMs, () => stale.close());
    } catch (reason) {
      this.#counts.replacementsFailed++;
      log.warn("valkey client could not be replaced", { client: name, reason: String(reason) });
    } finally {
      this.#replacedAtMs = clock.monotonicMs();
      this.#attempts--;
    }
  }
}

function isUnreached(reason: unknown): boolean {
  return isConnectionFailure(reason) || isMisrouted(reason);
}
