import type { ResolvedRetention } from "../../config/channel-policy.ts";
import { IdentityTable, type RepeatWindow } from "../identity-table.ts";
import type { LogPosition } from "../log-position.ts";
import type { AppendRequest, LogMessage, PositionVerdict } from "../message-log.ts";
import { EntryQueue, type StoredEntry } from "./entry-queue.ts";

/** Where the append of an identity stands. */
interface Identity extends LogPosition {
  readonly seq: number;
}

/** What an append comes to. */
export type AppendVerdict =
  | { readonly verdict: "stored" | "repeated"; readonly position: LogPosition; readonly entry: StoredEntry | undefined }
  /** A later message of the origin is stored and this one never was. */
  | { readonly verdict: "overtaken" }
  /** It is older than what is remembered of its origin. */
  | { readonly verdict: "forgotten" };

/** One channel's log. States: empty or not, in both cases with a head that only `clear` sets back to offset 0. */
export class ChannelLog {
  readonly #window: RepeatWindow;
  readonly #identities: IdentityTable<Identity>;
  readonly #entries = new EntryQueue();
  #head: LogPosition;
  #tail: LogPosition;
  /** Of the last append or read; by it the node drops what has aged in a channel that nobody uses. */
  retention: ResolvedRetention | undefined;

  constructor(epoch: number, window: RepeatWindow, nowMs: number) {
    this.#window = window;
    this.#identities = new IdentityTable(window, nowMs);
    this.#head = { epoch, offset: 0, tag: 0 };
    this.#tail = this.#head;
  }

  get head(): LogPosition {
    return this.#head;
  }

  get tail(): LogPosition {
    return this.#tail;
  }

  /** Bytes that the node counts for the channel's entries. */
  get heldBytes(): number {
    return this.#entries.heldBytes;
  }

  get isEmpty(): boolean {
    return this.#entries.first === undefined;
  }

  /** One entry is left. */
  get isSingle(): boolean {
    return this.#entries.first === this.#entries.last;
  }

  append(request: AppendRequest, tag: number, nowMs: number): AppendVerdict {
    const { origin, seq, idempotencyKey, body, expiresAtMs, excludeSelf } = request;
    const originKey = `o${origin}`;
    const known = this.#identities.get(originKey);
    const repeat = this.#repeat(idempotencyKey, known, seq);
    if (repeat !== undefined) return repeat;
    const last = this.#entries.last;
    const entry: StoredEntry = {
      offset: this.#head.offset + 1,
      tag,
      previousTag: this.#head.tag,
      body,
      origin,
      seq,
      expiresAtMs,
      excludeSelf,
      storedAtMs: Math.max(nowMs, last?.storedAtMs ?? 0),
      sumBytes: (last?.sumBytes ?? 0) + body.length,
      previousOfOrigin: known?.epoch === this.#head.epoch ? known.offset : 0,
    };
    this.#entries.push(entry);
    this.#head = { epoch: this.#head.epoch, offset: entry.offset, tag };
    this.#identities.set(originKey, { ...this.#head, seq }, nowMs);
    if (idempotencyKey !== "") this.#identities.set(`k${idempotencyKey}`, { ...this.#head, seq }, nowMs);
    return { verdict: "stored", position: this.#head, entry };
  }

  /** Drops what the retention no longer keeps. The newest entry is kept whatever its size. */
  trim({ maxMessages, maxBytes, maxAgeS }: ResolvedRetention, nowMs: number): void {
    const { last } = this.#entries;
    if (last === undefined) return;
    const oldestMs = nowMs - maxAgeS * 1000;
    const leastOffset = this.#head.offset - maxMessages;
    const isKept = (entry: StoredEntry) =>
      entry.offset > leastOffset &&
      entry.storedAtMs > oldestMs &&
      (entry === last || last.sumBytes - entry.sumBytes + entry.body.length <= maxBytes);
    while (this.#entries.first !== undefined && !isKept(this.#entries.first)) this.dropOldest();
  }

  /** Drops the oldest entry. */
  dropOldest(): void {
    const dropped = this.#entries.shift();
    if (dropped !== undefined) this.#tail = { ...this.#head, offset: dropped.offset, tag: dropped.tag };
  }

  verdictOf({ epoch, offset, tag }: LogPosition): PositionVerdict {
    if (epoch !== this.#head.epoch) return "other-epoch";
    if (offset > this.#head.offset) return "forked";
    if (offset < this.#tail.offset) return "trimmed";
    return this.#tagAt(offset) === tag ? "ok" : "forked";
  }

  /** The position at an offset from the tail to the head. */
  positionAt(offset: number): LogPosition {
    return { ...this.#head, offset, tag: this.#tagAt(offset) };
  }

  /** Entries behind an offset, in one direction, until a bound is reached. */
  entriesFrom(
    offset: number,
    step: 1 | -1,
    limit: number,
    maxBytes: number,
  ): { entries: LogMessage[]; exhausted: boolean } {
    const entries: LogMessage[] = [];
    let bytes = 0;
    for (let at = offset + step; at > this.#tail.offset && at <= this.#head.offset; at += step) {
      const entry = this.#entries.at(at);
      if (entry === undefined) continue;
      if (entries.length >= limit || (entries.length > 0 && bytes + entry.body.length > maxBytes)) {
        return { entries, exhausted: false };
      }
      entries.push(toMessage(entry));
      bytes += entry.body.length;
    }
    return { entries, exhausted: true };
  }

  deleteAt(offset: number): void {
    this.#entries.delete(offset);
  }

  clear(epoch: number): void {
    this.#entries.clear();
    this.#head = { epoch, offset: 0, tag: 0 };
    this.#tail = this.#head;
  }

  #repeat(idempotencyKey: string, known: Identity | undefined, seq: number): AppendVerdict | undefined {
    const byKey = idempotencyKey === "" ? undefined : this.#identities.get(`k${idempotencyKey}`);
    if (byKey !== undefined) return this.#repeatOf(byKey);
    if (known === undefined || seq > known.seq) return undefined;
    if (seq === known.seq) return this.#repeatOf(known);
    if (known.epoch !== this.#head.epoch) return { verdict: "forgotten" };
    let at = known.offset;
    for (let hops = 0; hops <= this.#window.maxLookBack && at !== 0; hops++) {
      const entry = this.#entries.at(at);
      if (entry === undefined) break;
      if (entry.seq === seq) return this.#repeatOf({ ...this.#head, offset: entry.offset, tag: entry.tag });
      if (entry.seq < seq) return { verdict: "overtaken" };
      at = entry.previousOfOrigin;
    }
    return { verdict: "forgotten" };
  }

  #repeatOf({ epoch, offset, tag }: LogPosition): AppendVerdict {
    const entry = epoch === this.#head.epoch ? this.#entries.at(offset) : undefined;
    return { verdict: "repeated", position: { epoch, offset, tag }, entry };
  }

  #tagAt(offset: number): number {
    if (offset === this.#tail.offset) return this.#tail.tag;
    return this.#entries.tagAt(offset) ?? this.#head.tag;
  }
}

function toMessage(entry: StoredEntry): LogMessage {
  const { offset, tag, previousTag, body, origin, seq, expiresAtMs, excludeSelf } = entry;
  return { kind: "message", offset, tag, previousTag, body, origin, seq, expiresAtMs, excludeSelf };
}
