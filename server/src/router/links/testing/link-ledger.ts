import type { AppChannel } from "../../../broker/route-store.ts";
import type { LinkOutcome, LinkRecord } from "../link-port.ts";

/** A record that was sent over one link, and what became of it. */
export interface SentRecord {
  /** Grows with the records of the link. */
  readonly id: number;
  readonly record: LinkRecord;
  readonly sentMs: number;
  /** Whether anybody wants to know what becomes of it. */
  readonly isAsked: boolean;
  readonly outcomes: LinkOutcome[];
}

type Event = { readonly id: number } | { readonly lost: readonly AppChannel[] | "all" };

/** A record of so many bytes and four, which are its id. */
export function recordOf(id: number, shape: Omit<LinkRecord, "bytes"> & { readonly length: number }): LinkRecord {
  const { length, ...rest } = shape;
  const bytes = Buffer.alloc(4 + length, id & 0xff);
  bytes.writeUInt32LE(id);
  return { ...rest, bytes };
}

/** Everything that was sent and received over one link, and what must be true of it. */
export class LinkLedger {
  readonly sent: SentRecord[] = [];
  readonly #byId = new Map<number, SentRecord>();
  readonly #events: Event[] = [];

  /** A record whose first four bytes are its id, which is higher than those before. */
  add(id: number, record: LinkRecord, nowMs: number, isAsked = true): SentRecord {
    const sent: SentRecord = { id, record, sentMs: nowMs, isAsked, outcomes: [] };
    this.sent.push(sent);
    this.#byId.set(id, sent);
    return sent;
  }

  received(bytes: Uint8Array): void {
    const id = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).readUInt32LE();
    const { record } = this.#byId.get(id) ?? {};
    if (record === undefined || Buffer.compare(record.bytes, bytes) !== 0) {
      throw new Error(`record ${id} is not as it was sent`);
    }
    this.#events.push({ id });
  }

  lost(channels: readonly AppChannel[] | "all"): void {
    this.#events.push({ lost: channels });
  }

  /** What is wrong with it, a sentence each. `isEnded`: the link was removed by its sender, so that nobody was told what it lost. */
  faults({ isEnded = false } = {}): string[] {
    return [...this.orderFaults(), ...this.sent.flatMap((sent) => this.#outcomeFaults(sent, isEnded))];
  }

  /** Of the receiving side alone. */
  orderFaults(): string[] {
    const ids = this.#events.flatMap((event) => ("id" in event ? [event.id] : []));
    return ids.flatMap((id, index) => {
      const before = ids[index - 1] ?? -1;
      return id > before ? [] : [`record ${id} came behind ${before}`];
    });
  }

  #outcomeFaults({ id, record, isAsked, outcomes }: SentRecord, isEnded: boolean): string[] {
    if (!isAsked) return [];
    const [outcome] = outcomes;
    if (outcomes.length !== 1) return [`record ${id} was settled ${outcomes.length} times`];
    const wasReceived = this.#has(id);
    if (outcome === "failed" && wasReceived) return [`record ${id} failed and was received`];
    if (outcome === "delivered" && !wasReceived) {
      return [`record ${id} was delivered and not received`];
    }
    const mustBeTold = record.class === "live" || record.class === "durable";
    if (outcome !== "failed" || !mustBeTold || isEnded || this.#isTold(id, record)) return [];
    return [`record ${id} failed, and the peer was not told in its place`];
  }

  #has(id: number): boolean {
    return this.#events.some((event) => "id" in event && event.id === id);
  }

  /** A loss of its channel was told behind what is older in it and before what is newer. */
  #isTold(id: number, record: LinkRecord): boolean {
    let isTold = false;
    for (const event of this.#events) {
      if ("lost" in event) {
        const { lost } = event;
        isTold ||= lost === "all" || lost.some(({ key }) => key === record.channel?.key);
        continue;
      }
      const other = this.#byId.get(event.id)?.record;
      if (other?.class !== record.class || other.channel?.key !== record.channel?.key) continue;
      if (event.id > id) return isTold;
      isTold = false;
    }
    return isTold;
  }
}
