import { SkipReason } from "@fanfare/proto/v1";
import type { LogPosition } from "./log-position.ts";
import type { LogItem, LogMessage, LogSkip } from "./message-log.ts";

/** What a page is made of. */
export interface PageSource {
  readonly from: LogPosition;
  /** Entries that are there, in the direction of reading, from `from` on without omission. */
  readonly entries: readonly LogMessage[];
  /** Nothing is there behind the last of them, up to `end`. */
  readonly exhausted: boolean;
  /** The head (forward) or the tail (backward). */
  readonly end: LogPosition;
  readonly nowMs: number;
}

/** The items of a page and where the next one begins. */
export interface Page {
  readonly items: readonly LogItem[];
  readonly next: LogPosition;
  readonly atEnd: boolean;
}

/** Every offset behind `from` as a message or within a skip: holes are deleted messages. */
export function forwardPage({ from, entries, exhausted, end, nowMs }: PageSource): Page {
  const items: LogItem[] = [];
  let at = from;
  for (const entry of entries) {
    const { offset, tag, previousTag } = entry;
    if (offset > at.offset + 1) items.push(deleted(at, { offset: offset - 1, tag: previousTag }));
    items.push(isExpired(entry, nowMs) ? expired(entry) : entry);
    at = { epoch: from.epoch, offset, tag };
  }
  if (exhausted && end.offset > at.offset) {
    items.push(deleted(at, end));
    at = end;
  }
  return { items, next: at, atEnd: exhausted };
}

/** The messages before `from`, newest first. */
export function backwardPage({ from, entries, exhausted, end, nowMs }: PageSource): Page {
  const last = entries.at(-1);
  const next = exhausted || last === undefined ? end : { epoch: from.epoch, offset: last.offset, tag: last.tag };
  return { items: entries.filter((entry) => !isExpired(entry, nowMs)), next, atEnd: exhausted };
}

function isExpired({ expiresAtMs }: LogMessage, nowMs: number): boolean {
  return expiresAtMs !== 0 && expiresAtMs <= nowMs;
}

function deleted(after: { offset: number; tag: number }, to: { offset: number; tag: number }): LogSkip {
  return {
    kind: "skip",
    fromOffset: after.offset + 1,
    toOffset: to.offset,
    tag: to.tag,
    previousTag: after.tag,
    reason: SkipReason.DELETED,
  };
}

function expired({ offset, tag, previousTag }: LogMessage): LogSkip {
  return { kind: "skip", fromOffset: offset, toOffset: offset, tag, previousTag, reason: SkipReason.EXPIRED };
}
