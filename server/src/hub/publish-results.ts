import { ErrorCode, Outcome } from "@fanfare/proto/v1";

/** What the server remembers of an answered publish. */
export interface RememberedResult {
  readonly outcome: Outcome;
  /** Why it failed; UNSPECIFIED if it did not. */
  readonly code: ErrorCode;
}

/** Publishes that wait; as many frames as may wait on a connection. At the bound the oldest is forgotten. */
const maxWaiting = 1_024;

const forgotten: RememberedResult = { outcome: Outcome.UNKNOWN, code: ErrorCode.UNSPECIFIED };

/**
 * Recognises the repeats of one origin at the node that accepts its publishes, and remembers the outcomes of the newest ones, so that
 * a repeat is answered with what happened and not with a guess.
 *
 * Publishes of one class (volatile or not) arrive in the order of their seq, so one highest seq a class is exact, but for those that wait behind
 * a subscription while publishes to other channels go on. Bounded: the outcomes of the newest `capacity` publishes are kept, which is at least as
 * many as a client may have unanswered.
 */
export class PublishResults {
  readonly #capacity: number;
  #seqs: Float64Array | undefined;
  #outcomes: Uint8Array | undefined;
  #codes: Uint8Array | undefined;
  #next = 0;
  #highest = 0;
  #highestVolatile = 0;
  /** Seqs that have arrived and were not handled yet; of volatile ones, negative. */
  readonly #waiting = new Set<number>();
  /** Seqs that are on their way to their receivers, and who wants to know what becomes of them: nobody here where that began at another node. */
  #underWay: Map<number, ((result: RememberedResult) => void)[] | undefined> | undefined;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Whether a publish with this seq has been accepted or refused before. */
  isRepeat(seq: number, volatile: boolean): boolean {
    return seq <= (volatile ? this.#highestVolatile : this.#highest) && !this.#waiting.has(volatile ? -seq : seq);
  }

  /** A publish has arrived and is handled later; unless it is a repeat it is none then, whatever else was handled meanwhile. */
  wait(seq: number, volatile: boolean): void {
    if (this.isRepeat(seq, volatile)) return;
    this.#waiting.add(volatile ? -seq : seq);
    const [oldest] = this.#waiting;
    if (this.#waiting.size > maxWaiting && oldest !== undefined) this.#waiting.delete(oldest);
  }

  /** Marks a publish as seen, whatever becomes of it. */
  see(seq: number, volatile: boolean): void {
    this.#waiting.delete(volatile ? -seq : seq);
    if (volatile) this.#highestVolatile = Math.max(this.#highestVolatile, seq);
    else this.#highest = Math.max(this.#highest, seq);
  }

  /** A publish that wants an answer is on its way to its receivers, until its result is remembered. */
  begin(seq: number): void {
    this.#addUnderWay(seq, this.#underWay?.get(seq) ?? []);
  }

  /** A publish was under way when the session left the node that had accepted it. */
  leaveBehind(seq: number): void {
    this.#addUnderWay(seq, undefined);
  }

  /** Whether a publish was under way when the session came here, so that nothing but sending it again shows what becomes of it. */
  isLeftBehind(seq: number): boolean {
    return this.#underWay?.has(seq) === true && this.#underWay.get(seq) === undefined;
  }

  /** Calls back with what becomes of a publish that is under way. @returns false: it is not, here, or too many ask */
  whenKnown(seq: number, then: (result: RememberedResult) => void): boolean {
    const toTell = this.#underWay?.get(seq);
    if (toTell === undefined || toTell.length >= this.#capacity) return false;
    toTell.push(then);
    return true;
  }

  /** Keeps the result of a publish that wants an answer; forgets the oldest at the bound. */
  remember(seq: number, outcome: Outcome, code = ErrorCode.UNSPECIFIED): void {
    const toTell = this.#underWay?.get(seq) ?? [];
    this.#underWay?.delete(seq);
    this.#seqs ??= new Float64Array(this.#capacity);
    this.#outcomes ??= new Uint8Array(this.#capacity);
    this.#codes ??= new Uint8Array(this.#capacity);
    const slot = this.#next++ % this.#capacity;
    this.#seqs[slot] = seq;
    this.#outcomes[slot] = outcome;
    this.#codes[slot] = code;
    for (const then of toTell) then({ outcome, code });
  }

  /**
   * All that is known, for the node at which the session goes on: outcomes the oldest first, what is under way, and the highest seq of each class up to
   * which every publish was handled. A higher one that was handled, too, may be handled there again: receivers know it.
   */
  toMoved(): {
    publishes: readonly (RememberedResult & { readonly seq: number })[];
    underWay: readonly number[];
    last: number;
    lastVolatile: number;
  } {
    const kept = Math.min(this.#next, this.#capacity);
    const publishes = Array.from({ length: kept }, (_, i) => {
      const slot = (this.#next - kept + i) % this.#capacity;
      const [seq, outcome, code] = [this.#seqs?.[slot], this.#outcomes?.[slot], this.#codes?.[slot]];
      return { seq: seq as number, outcome: outcome as Outcome, code: code as ErrorCode };
    });
    const waiting = [...this.#waiting].filter((seq) => seq > 0);
    return {
      publishes,
      underWay: [...(this.#underWay?.keys() ?? [])],
      last: Math.min(this.#highest, ...waiting.map((seq) => seq - 1)),
      lastVolatile: this.#highestVolatile,
    };
  }

  /** What became of a publish; OUTCOME_UNKNOWN if it was too long ago or did not ask for an answer. */
  resultOf(seq: number): RememberedResult {
    const slot = this.#seqs?.lastIndexOf(seq) ?? -1;
    if (slot === -1) return forgotten;
    return { outcome: this.#outcomes?.[slot] as Outcome, code: this.#codes?.[slot] as ErrorCode };
  }

  /** At the bound the oldest is forgotten. */
  #addUnderWay(seq: number, toTell: ((result: RememberedResult) => void)[] | undefined): void {
    this.#underWay ??= new Map();
    this.#underWay.delete(seq);
    this.#underWay.set(seq, toTell);
    const [oldest] = this.#underWay.keys();
    if (this.#underWay.size > this.#capacity && oldest !== undefined) this.#underWay.delete(oldest);
  }
}
