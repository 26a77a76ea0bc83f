import type { QueuedRecord } from "./class-queue.ts";
import type { ResolvedLinkOptions } from "./link-options.ts";
import type { LinkOutcome, LinkRecord } from "./link-port.ts";
import { PendingLoss } from "./pending-loss.ts";
import type { Settle } from "./settlements.ts";
import { TurnRecords } from "./turn-records.ts";
import { type OutReason, type TakenRecords, WaitingRecords } from "./waiting-records.ts";

/** No records. */
export const nothing: TakenRecords = { records: [], bytes: 0, settles: [] };

/** The records of a link that have not been sent: those of this turn, those that wait for better times, and what the peer has to be told of those that do not any more. */
export class OutboundRecords {
  readonly #turn = new TurnRecords();
  /** Of this turn too, and behind what is about to go to several at once. */
  readonly #behind = new TurnRecords();
  #isHeldBack = false;
  readonly #waiting: WaitingRecords;
  readonly #loss: PendingLoss;
  readonly #holdMs: number;
  readonly #onOut: (settle: Settle | undefined, outcome: LinkOutcome) => void;

  /** @param onOut is told of each record that will not be sent */
  constructor(options: ResolvedLinkOptions, onOut: (settle: Settle | undefined, outcome: LinkOutcome) => void) {
    const maxBytes = {
      live: options.maxLiveBytes,
      volatile: options.maxVolatileBytes,
      durable: options.maxDurableBytes,
      control: options.maxControlBytes,
    };
    this.#holdMs = options.holdMs;
    this.#waiting = new WaitingRecords({ maxBytes, holdMs: options.holdMs }, (out, reason) =>
      this.#notSent(out, reason),
    );
    this.#loss = new PendingLoss(options.maxLossChannels);
    this.#onOut = onOut;
  }

  /** Neither a record nor a loss is left. */
  get isEmpty(): boolean {
    return this.#isTurnEmpty && this.#waiting.isEmpty && this.#loss.isEmpty;
  }

  /** Some would be sent without any that come. */
  get hasTurn(): boolean {
    return !this.#isTurnEmpty;
  }

  /** What is added has to wait for what is about to go to several at once. */
  get isHeldBack(): boolean {
    return this.#isHeldBack;
  }

  /** Some wait for better times. */
  get isWaiting(): boolean {
    return !this.#waiting.isEmpty;
  }

  get hasLoss(): boolean {
    return !this.#loss.isEmpty;
  }

  /** Of this turn, what they count against credit. */
  get turnBytes(): number {
    return this.#turn.bytes + this.#behind.bytes;
  }

  get #isTurnEmpty(): boolean {
    return this.#turn.isEmpty && this.#behind.isEmpty;
  }

  /** Of those that wait. */
  get waitingBytes(): number {
    return this.#waiting.bytes;
  }

  /** When the oldest that waits is given up; Infinity: none waits. */
  get expiresMs(): number {
    return (this.#waiting.oldestMs ?? Number.POSITIVE_INFINITY) + this.#holdMs;
  }

  add(record: LinkRecord, settle: Settle | undefined): void {
    (this.#isHeldBack ? this.#behind : this.#turn).push(record, settle);
  }

  /** From now on what is added waits for {@link letGo}. */
  holdBack(): void {
    this.#isHeldBack = true;
  }

  /** What was added meanwhile may be sent, behind whatever is added between. */
  letGo(between: readonly LinkRecord[] = [], settles: readonly (Settle | undefined)[] = []): void {
    this.#isHeldBack = false;
    for (const [index, record] of between.entries()) this.#turn.push(record, settles[index]);
    this.#behind.drain((record, settle) => this.#turn.push(record, settle));
  }

  /** Gives up what has waited for too long. */
  expire(nowMs: number): void {
    this.#waiting.expire(nowMs);
  }

  /** Takes the oldest out, as many as fit; the first in any case. */
  take(maxBytes: number): TakenRecords {
    if (!this.#waiting.isEmpty) return this.#waiting.take(maxBytes);
    return this.#turn.isEmpty ? nothing : this.#turn.take(maxBytes);
  }

  /** Takes what the peer has to be told before whatever is taken next, encoded. */
  takeLoss(): Uint8Array | undefined {
    return this.#loss.take();
  }

  /** What is left of this turn waits. */
  hold(nowMs: number): void {
    this.#turn.drain((record, settle) => this.#waiting.add(record, settle, nowMs));
  }

  /** Gives up everything. */
  close(): void {
    this.letGo();
    this.#turn.drain((_, settle) => this.#onOut(settle, "failed"));
    this.#waiting.clear();
    this.#loss.take();
  }

  #notSent({ record: { class: recordClass, channel }, settle }: QueuedRecord, reason: OutReason): void {
    const isStored = recordClass === "durable";
    const isReplaced = reason === "replaced";
    if (channel !== undefined && !isReplaced && (isStored || recordClass === "live")) this.#loss.add(channel);
    this.#onOut(settle, isStored && isReplaced ? "unknown" : "failed");
  }
}
