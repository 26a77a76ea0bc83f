import { ErrorCode } from "@fanfare/proto/v1";
import type { Clock } from "../clock.ts";
import { FanfareError } from "../fanfare-error.ts";
import type { FunctionLoader } from "./function-loader.ts";
import { isFunctionMissing } from "./reply-errors.ts";
import { type Mark, markOf } from "./reply-mark.ts";
import type { ShardWatch } from "./shard-watch.ts";
import type { SupervisedClient } from "./supervised-client.ts";
import type { Topology } from "./topology.ts";
import { type Command, isAnswer, type Reply } from "./valkey-client.ts";

/** What {@link TrustedReads} are made of. */
export interface TrustedReadsOptions {
  /** What is read, for errors. */
  readonly name: string;
  readonly client: SupervisedClient;
  readonly topology: Topology;
  readonly watch: ShardWatch;
  readonly loader: FunctionLoader;
  readonly functionPrefix: string;
  readonly clock: Clock;
  readonly cluster: boolean;
  /** How long an answer may take, in milliseconds. */
  readonly timeoutMs: number;
  /** What is read is written again by its owners when it was lost: until they have had the time to, nothing is read. Default: false. */
  readonly awaitsOwners?: boolean;
}

/** What became of reads, for metrics. */
export interface ReadCounts {
  /** Round trips. */
  batches: number;
  reads: number;
  /** Reads that were not sent, or whose answer was not believed or did not come. */
  refused: number;
}

/** Reads in one round trip; more of one turn go in several, side by side. */
const maxBatchReads = 256;

interface Read extends PromiseWithResolvers<Reply> {
  readonly tag: string;
  readonly command: Command;
}

/**
 * Calls of functions that read. Those of one turn of the event loop share a round trip for each primary, and each is tried once. An answer is only
 * given if its primary can be believed (see {@link ShardWatch}): the last command of each batch asks for the mark of who answers, and is held
 * up as a write while a primary hands over.
 */
export class TrustedReads {
  readonly counts: ReadCounts = { batches: 0, reads: 0, refused: 0 };
  readonly #options: TrustedReadsOptions;
  #waiting: Read[] = [];
  #closed = false;

  constructor(options: TrustedReadsOptions) {
    this.#options = options;
  }

  /**
   * @param tag the hash tag of its key
   * @throws FanfareError UNAVAILABLE when the primary is out of reach or may be none any more; INTERNAL if Valkey refuses the call
   */
  read(tag: string, command: Command): Promise<Reply> {
    if (this.#closed) return Promise.reject(this.#unavailable());
    const read = { ...Promise.withResolvers<Reply>(), tag, command };
    this.counts.reads++;
    this.#waiting.push(read);
    if (this.#waiting.length === 1) this.#options.clock.defer(() => this.#flush());
    return read.promise;
  }

  close(): void {
    this.#closed = true;
    this.#refuse(this.#waiting.splice(0));
  }

  #flush(): void {
    const { topology } = this.#options;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const [primary, reads] of Map.groupBy(waiting, ({ tag }) => topology.primaryOf(tag))) {
      if (!this.#isReadable(primary)) {
        this.#refuse(reads);
        continue;
      }
      for (let i = 0; i < reads.length; i += maxBatchReads) {
        void this.#send(primary, reads.slice(i, i + maxBatchReads));
      }
    }
  }

  async #send(primary: string, reads: readonly Read[]): Promise<void> {
    const { client, watch, functionPrefix, clock, cluster, timeoutMs } = this.#options;
    const mark: Command = ["FCALL", `${functionPrefix}_mark`, "0", cluster ? "1" : "0"];
    const commands = [...reads.map(({ command }) => command), mark];
    const sentAtMs = clock.monotonicMs();
    this.counts.batches++;
    const isOwn = (replies: readonly Reply[]) => isAnswer(replies.at(-1)) && markOf(replies.at(-1)).node === primary;
    try {
      const { tag } = reads[0] as Read;
      const replies = await client.pipeline(commands, `{${tag}}`, timeoutMs, primary, isOwn);
      const isReached = isOwn(replies);
      if (!isReached) watch.failed(primary);
      const isPrimary = isReached && watch.answered(markOf(replies.at(-1)), sentAtMs);
      const isBelieved = isPrimary && this.#isReadable(primary);
      for (const [i, read] of reads.entries()) this.#settle(read, replies[i], isBelieved, primary, sentAtMs);
    } catch (reason) {
      watch.failed(primary);
      this.#refuse(reads, reason);
    }
  }

  #settle(read: Read, reply: Reply | undefined, isBelieved: boolean, primary: string, sentAtMs: number): void {
    const { loader, client, name } = this.#options;
    if (isFunctionMissing(reply)) void loader.load(client).catch(() => {});
    if (!isAnswer(reply)) return this.#refuse([read], reply);
    const mark = markOf(reply);
    const { node } = mark;
    // Redirected to another primary that can be believed: the slot is there, or on its way there.
    if (isBelieved && (node === primary || this.#isReadableAs(mark, sentAtMs))) return read.resolve(reply);
    this.#refuse([read], new Error(`${name}: answered by ${node}, which may not be the primary any more`));
  }

  /** Whether somebody else can be believed who has answered: no other has its place, and it has not begun anew meanwhile. */
  #isReadableAs(mark: Mark, sentAtMs: number): boolean {
    return this.#isReadable(mark.node) && this.#options.watch.answered(mark, sentAtMs) && this.#isReadable(mark.node);
  }

  #isReadable(primary: string): boolean {
    const { watch, awaitsOwners = false } = this.#options;
    return awaitsOwners ? watch.isSettled(primary) : watch.isTrusted(primary);
  }

  #refuse(reads: readonly Read[], cause?: unknown): void {
    this.counts.refused += reads.length;
    for (const read of reads) read.reject(this.#unavailable(cause));
  }

  #unavailable(cause?: unknown): FanfareError {
    return new FanfareError(ErrorCode.UNAVAILABLE, `${this.#options.name} is out of reach`, { cause });
  }
}
