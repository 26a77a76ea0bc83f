import { randomInt } from "node:crypto";
import type { Retention } from "@fanfare/proto/config/v1";
import type { Position } from "@fanfare/proto/v1";
import type { Breaks } from "../../mutants/mutants.ts";
import type { MessageBody } from "../message-body.ts";
import { payloadBytes } from "../payload-bytes.ts";

/** A place in a log. */
export type Place = Pick<Position, "epoch" | "offset" | "tag">;

/** A stored message. */
export interface Entry {
  readonly offset: bigint;
  readonly tag: number;
  readonly previousTag: number;
  readonly body: MessageBody;
  deleted: boolean;
  /** The session that left itself out, by its origin. */
  readonly excluded: bigint | undefined;
  readonly storedAtMs: number;
  readonly bytes: number;
}

/** What a log says of a place. */
export type Verdict = "ok" | "trimmed" | "epoch" | "forked";

/** Stored messages that are remembered by their identity; the oldest are forgotten first. */
const mostIdentities = 4_096;

/** The log of one channel, in memory. Bounded by its retention. */
export class ChannelLog {
  readonly #breaks: Breaks;
  readonly #retention: Retention | undefined;
  readonly #identities = new Map<string, Place>();
  #entries: Entry[] = [];
  #bytes = 0;
  #head: Place;
  #tail: Place;

  constructor(epoch: bigint, retention: Retention | undefined, breaks: Breaks) {
    this.#breaks = breaks;
    this.#retention = retention;
    this.#head = { epoch, offset: 0n, tag: 0 };
    this.#tail = this.#head;
  }

  /** The newest position. */
  get head(): Place {
    this.#trim();
    return this.#head;
  }

  /** The position before the oldest entry that is kept. */
  get tail(): Place {
    this.#trim();
    return this.#tail;
  }

  append(body: MessageBody, excluded: bigint | undefined): Place {
    const step = this.#breaks.has("offsets-with-holes") && this.#head.offset > 0n ? 2n : 1n;
    const offset = this.#head.offset + step;
    const tag = this.#breaks.has("tags-count") ? Number(offset) : randomInt(1, 2 ** 32 - 1);
    const bytes = payloadBytes(body.payload);
    const entry = {
      offset,
      tag,
      previousTag: this.#head.tag,
      body,
      deleted: false,
      excluded,
      storedAtMs: Date.now(),
      bytes,
    };
    this.#entries.push(entry);
    this.#bytes += bytes;
    this.#head = { epoch: this.#head.epoch, offset, tag };
    this.#identities.set(identity(body.origin, body.seq), this.#head);
    if (this.#identities.size > mostIdentities) this.#identities.delete(this.#identities.keys().next().value ?? "");
    this.#trim();
    return this.#head;
  }

  /** Where a message with this identity was stored. */
  find(origin: bigint, seq: bigint): Place | undefined {
    const place = this.#identities.get(identity(origin, seq));
    return place !== undefined && this.#breaks.has("repeat-told-the-head") ? this.#head : place;
  }

  verdictOf({ epoch, offset, tag }: Place): Verdict {
    this.#trim();
    if (epoch !== this.#head.epoch) return this.#breaks.has("any-epoch") ? "ok" : "epoch";
    if (offset > this.#head.offset) return this.#breaks.has("past-the-head-recovered") ? "ok" : "forked";
    if (offset < this.#tail.offset) return this.#breaks.has("gap-not-told") ? "ok" : "trimmed";
    return this.#tagAt(offset) === tag || this.#breaks.has("tags-unchecked") ? "ok" : "forked";
  }

  /** The entry behind an offset. */
  after(offset: bigint): Entry | undefined {
    return this.#entries.find((entry) => entry.offset > offset);
  }

  /** Entries behind an offset in one direction. */
  *from(offset: bigint, step: 1 | -1): Iterable<Entry> {
    const isBehind = (entry: Entry) => (step === 1 ? entry.offset > offset : entry.offset < offset);
    yield* (step === 1 ? this.#entries : this.#entries.toReversed()).filter(isBehind);
  }

  /** The place before the last n entries that are kept. */
  rewound(count: number): Place {
    const wanted = this.head.offset - BigInt(count);
    const offset = wanted > this.#tail.offset ? wanted : this.#tail.offset;
    return { epoch: this.#head.epoch, offset, tag: this.#tagAt(offset) ?? 0 };
  }

  delete(offset: bigint): void {
    const entry = this.#entries.find((one) => one.offset === offset);
    if (entry !== undefined) entry.deleted = true;
  }

  clear(epoch: bigint): void {
    this.#entries = [];
    this.#bytes = 0;
    this.#head = { epoch: this.#breaks.has("epoch-kept-after-clear") ? this.#head.epoch : epoch, offset: 0n, tag: 0 };
    this.#tail = this.#head;
  }

  #tagAt(offset: bigint): number | undefined {
    if (offset === this.#tail.offset) return this.#tail.tag;
    return this.#entries.find((entry) => entry.offset === offset)?.tag;
  }

  #trim(): void {
    const { maxMessages = 0, maxBytes = 0n, maxAgeS = 0 } = this.#retention ?? {};
    const oldestMs = Date.now() - (maxAgeS || 24 * 3600) * 1000;
    for (;;) {
      const [first] = this.#entries;
      if (first === undefined) return;
      const fits = this.#bytes <= Number(maxBytes || 8n * 1024n * 1024n) || this.#entries.length === 1;
      if (fits && this.#entries.length <= (maxMessages || 1_000) && first.storedAtMs > oldestMs) return;
      this.#entries.shift();
      this.#bytes -= first.bytes;
      this.#tail = { epoch: this.#head.epoch, offset: first.offset, tag: first.tag };
    }
  }
}

function identity(origin: bigint, seq: bigint): string {
  return `${origin} ${seq}`;
}
