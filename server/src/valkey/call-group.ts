import type { Command, Reply } from "./valkey-client.ts";

/** Bounds of one group. */
const maxGroupCalls = 256;
const maxGroupBytes = 1024 * 1024;

/** What became of a call. */
export interface CallResult {
  /** The last answer; undefined if none came in time. */
  readonly reply: Reply | undefined;
  /** Who holds what the call has written; undefined: not known in time. Without waiting: the primary. */
  readonly acknowledged: "primary" | "replica" | undefined;
  /** An earlier try may have been carried out, so that the answer may be to a repeat. */
  readonly triedBefore: boolean;
  /** The answer could be relied upon when it came, by `judge`. */
  readonly isBelieved: boolean;
}

/** A call that has no result yet. */
export interface Call extends PromiseWithResolvers<CallResult> {
  readonly tag: string;
  readonly command: Command;
  readonly bytes: number;
  /** Calls are sent in this order. */
  readonly order: number;
  readonly deadlineMs: number;
  readonly isLateHarmless: boolean;
  reply: Reply | undefined;
  triedBefore: boolean;
  isBelieved: boolean;
}

/** What waits for one primary, of which one group at a time is under way: what arrives meanwhile is the next group. */
export interface Shard {
  readonly id: string;
  /** In their order, and in that of their deadlines. */
  readonly waiting: Call[];
  isBusy: boolean;
  /** As of the last group. Believing in one that is not there costs a WAIT in vain, so at first there is none. */
  hasReplica: boolean;
  /** Where the primary stood when its replica had not answered in time; 0: it has since. */
  lateOffset: number;
  /** Its replica has not answered in time, and has not caught up since. */
  isReplicaLate: boolean;
  failures: number;
  /** Gives up waiting for the group that is under way. */
  abandon: (() => void) | undefined;
  /** Ends the pause before the next try. */
  wake: (() => void) | undefined;
}

/** Where calls of a tag are, so that none overtakes an earlier one when the tag's slot has another primary meanwhile. */
export class CallPlaces {
  readonly #underWay = new Map<string, Shard>();
  readonly #waiting = new Map<string, { readonly shard: Shard; count: number }>();

  /** Where a later call of the tag has to wait; undefined: there is none before it. */
  of(tag: string): Shard | undefined {
    return this.#underWay.get(tag) ?? this.#waiting.get(tag)?.shard;
  }

  /** Puts a call behind those that wait. */
  enqueue(call: Call, shard: Shard): void {
    shard.waiting.push(call);
    const waiting = this.#waiting.get(call.tag);
    if (waiting === undefined) this.#waiting.set(call.tag, { shard, count: 1 });
    else waiting.count++;
  }

  /** Takes the first of those that wait. */
  dequeue(shard: Shard, count: number): Call[] {
    const calls = shard.waiting.splice(0, count);
    for (const { tag } of calls) {
      const waiting = this.#waiting.get(tag);
      if (waiting !== undefined && --waiting.count === 0) this.#waiting.delete(tag);
    }
    return calls;
  }

  begun(group: readonly Call[], shard: Shard): void {
    for (const { tag } of group) this.#underWay.set(tag, shard);
  }

  ended(group: readonly Call[]): void {
    for (const { tag } of group) this.#underWay.delete(tag);
  }
}

/** What comes of work, or an error as soon as it is given up; it may be carried out all the same. */
export function orAbandoned<Result>(shard: Shard, work: Promise<Result>): Promise<Result> {
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  const abandon = (): void => reject(new Error("the primary was replaced"));
  shard.abandon = abandon;
  work.then(resolve, reject).finally(() => {
    if (shard.abandon === abandon) shard.abandon = undefined;
  });
  return promise;
}

/** How many of the calls that wait are sent in one go. */
export function groupSize(shard: Shard): number {
  let count = 0;
  let bytes = 0;
  for (const call of shard.waiting) {
    if (count >= maxGroupCalls || (count > 0 && bytes + call.bytes > maxGroupBytes)) break;
    count++;
    bytes += call.bytes;
  }
  return count;
}
