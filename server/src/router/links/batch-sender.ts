import type { LinkCounters } from "../../observe/link-counters.ts";
import type { BatchTail } from "./batch.ts";
import { encodeAgain, encodeBatch, encodeElsewhere, encodeHead } from "./batch-encoding.ts";
import type { LinkLane } from "./link-lane.ts";
import { isOnlyShared, type SentBatch } from "./send-window.ts";
import type { TakenRecords } from "./waiting-records.ts";

/** What a {@link BatchSender} needs. */
export interface BatchSenderParts {
  readonly self: bigint;
  readonly peer: bigint;
  /** What is spoken until more is known of the peer. */
  readonly minRevision: number;
  readonly maxRevision: number;
  readonly counters: LinkCounters;
  readonly lane: LinkLane;
  /** What to say about the other direction now; it counts as said. */
  readonly tail: (nowMs: number) => Omit<BatchTail, "probe" | "echo">;
  /** Something is published. */
  readonly onPublish: (nowMs: number) => void;
}

const nothing = new Uint8Array();
const noTail: BatchTail = { acknowledged: 0, missing: [], credit: 0, probe: 0, echo: 0 };

/** Encodes batches of one link and publishes them, each with what is to be said about the other direction. */
export class BatchSender {
  readonly #parts: BatchSenderParts;
  #revision: number;
  #head: Uint8Array;

  constructor(parts: BatchSenderParts) {
    this.#parts = parts;
    this.#revision = parts.minRevision;
    this.#head = encodeHead(this.#revision, parts.self, parts.peer);
  }

  /** What is spoken. */
  get revision(): number {
    return this.#revision;
  }

  /** From now on the highest revision is spoken that both understand. */
  understands(revision: number): void {
    const { self, peer, maxRevision } = this.#parts;
    const spoken = Math.min(revision, maxRevision);
    if (spoken <= this.#revision) return;
    this.#revision = spoken;
    this.#head = encodeHead(spoken, self, peer);
  }

  /** Sends a batch for the first time. @returns it, to be sent again */
  send(number: number, taken: TakenRecords, loss: Uint8Array | undefined, nowMs: number): SentBatch {
    const { counters, lane } = this.#parts;
    const { bytes, body } = encodeBatch(this.#head, number, taken.records, taken.bytes, loss, this.#tail(nowMs));
    counters.batchesOut++;
    counters.bytesOut += bytes.length;
    if (loss !== undefined) counters.lossesOut++;
    lane.publish(bytes, nowMs);
    return {
      number,
      body,
      bytes: body.length,
      records: taken.records.length,
      hasLoss: loss !== undefined,
      settles: taken.settles,
      firstSentMs: nowMs,
      lastSentMs: nowMs,
      sends: 1,
    };
  }

  /**
   * Makes a batch that goes out with those of other links.
   * @param elsewhere what the records count if they are not for this peer; else 0
   */
  share(number: number, taken: TakenRecords, elsewhere: number, nowMs: number): SentBatch {
    return {
      number,
      body: undefined,
      bytes: taken.bytes,
      encodeBody: () =>
        elsewhere > 0
          ? encodeElsewhere(this.#head, number, elsewhere)
          : encodeBatch(this.#head, number, taken.records, taken.bytes, undefined, noTail).body,
      records: elsewhere > 0 ? 0 : taken.records.length,
      hasLoss: false,
      settles: taken.settles,
      firstSentMs: nowMs,
      lastSentMs: nowMs,
      sends: 1,
    };
  }

  sendAgain(batch: SentBatch, nowMs: number): void {
    const { counters, lane } = this.#parts;
    if (isOnlyShared(batch)) counters.sharedRepaired++;
    batch.body ??= batch.encodeBody?.() ?? nothing;
    const bytes = encodeAgain(batch.body, this.#tail(nowMs));
    batch.sends++;
    batch.lastSentMs = nowMs;
    counters.batchesRepeated++;
    counters.bytesRepeated += bytes.length;
    lane.publish(bytes, nowMs);
  }

  /** Sends a batch without records. */
  sendEmpty(nowMs: number, probe: number): void {
    this.#parts.lane.publish(this.#empty(nowMs, probe, 0), nowMs);
  }

  /** The same, over any lane. */
  sendEmptyOver(lane: number, nowMs: number, { probe = 0, echo = 0 }): void {
    this.#parts.lane.publishOver(lane, this.#empty(nowMs, probe, echo));
  }

  #empty(nowMs: number, probe: number, echo: number): Uint8Array {
    const { counters } = this.#parts;
    const bytes = encodeAgain(this.#head, this.#tail(nowMs, probe, echo));
    counters.batchesOut++;
    counters.emptyBatchesOut++;
    counters.bytesOut += bytes.length;
    return bytes;
  }

  #tail(nowMs: number, probe = 0, echo = 0): BatchTail {
    this.#parts.onPublish(nowMs);
    return { ...this.#parts.tail(nowMs), probe, echo };
  }
}
