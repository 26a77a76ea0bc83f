import type { Database } from "../database.ts";
import { ErrorReply, type ModelReply, syntaxError } from "../reply.ts";
import { compareIds, parseId, Stream, type StreamEntry, type StreamId, textOfId } from "../stream.ts";
import { CommandError, integerOf, type ModelCommand, reading, typedValue, writing } from "./command.ts";

const isStream = (value: unknown): value is Stream => value instanceof Stream;
const invalidId = new ErrorReply("ERR", "Invalid stream ID specified as stream command argument");
const tooSmall = new ErrorReply("ERR", "The ID specified in XADD is equal or smaller than the target stream top item");
const noSuchKey = new ErrorReply("ERR", "no such key");

function streamAt(database: Database, key: string | undefined): Stream | undefined {
  return typedValue(database, key, isStream);
}

function entryReply({ id, fields }: StreamEntry): ModelReply {
  return [textOfId(id), fields];
}

/** An end of a range; `-` and `+` are the ends of all. @throws CommandError */
function boundOf(text: string | undefined, missingSeq: number): StreamId {
  if (text === "-") return { ms: 0, seq: 0 };
  if (text === "+") return { ms: Number.POSITIVE_INFINITY, seq: Number.POSITIVE_INFINITY };
  const id = parseId(text ?? "", missingSeq);
  if (id === undefined) throw new CommandError(invalidId);
  return id;
}

function range(database: Database, key: string | undefined, from: StreamId, to: StreamId): readonly StreamEntry[] {
  const stream = streamAt(database, key);
  if (stream === undefined) return [];
  const first = stream.indexOf(from);
  const behind = stream.entries.findIndex((entry, i) => i >= first && compareIds(entry.id, to) > 0);
  return stream.entries.slice(first, behind < 0 ? undefined : behind);
}

function countOf(options: readonly string[]): number {
  if (options.length === 0) return Number.POSITIVE_INFINITY;
  if (options[0]?.toUpperCase() !== "COUNT") throw new CommandError(syntaxError);
  return integerOf(options[1]);
}

/** Commands about streams. */
export const streamCommands: Readonly<Record<string, ModelCommand>> = {
  XADD: writing((database, args) => {
    const [key = "", text = "", ...fields] = args;
    const id = parseId(text, 0);
    if (id === undefined) throw new CommandError(invalidId);
    const stream = streamAt(database, key) ?? new Stream();
    if (compareIds(id, stream.lastId) <= 0) throw new CommandError(tooSmall);
    if (!database.has(key)) database.set(key, stream);
    stream.add({ id, fields });
    database.changed("XADD", ...args);
    return textOfId(id);
  }),
  XLEN: reading((database, [key]) => streamAt(database, key)?.entries.length ?? 0),
  XRANGE: reading((database, [key, from, to, ...options]) =>
    range(database, key, boundOf(from, 0), boundOf(to, Number.POSITIVE_INFINITY))
      .slice(0, countOf(options))
      .map(entryReply),
  ),
  XREVRANGE: reading((database, [key, to, from, ...options]) =>
    range(database, key, boundOf(from, 0), boundOf(to, Number.POSITIVE_INFINITY))
      .toReversed()
      .slice(0, countOf(options))
      .map(entryReply),
  ),
  XDEL: writing((database, args) => {
    const [key, ...ids] = args;
    const stream = streamAt(database, key);
    if (stream === undefined) return 0;
    const count = ids.filter((text) => stream.remove(boundOf(text, 0))).length;
    if (count > 0) database.changed("XDEL", ...args);
    return count;
  }),
  XTRIM: writing((database, args) => {
    const [key, strategy, threshold] = args;
    if (strategy?.toUpperCase() !== "MINID" || args.length !== 3) throw new CommandError(syntaxError);
    const stream = streamAt(database, key);
    if (stream === undefined) return 0;
    const count = stream.indexOf(boundOf(threshold, 0));
    stream.entries = stream.entries.slice(count);
    if (count > 0) database.changed("XTRIM", ...args);
    return count;
  }),
  XINFO: reading(
    (database, [what, key]) => {
      if (what?.toUpperCase() !== "STREAM") throw new CommandError(syntaxError);
      const stream = streamAt(database, key);
      if (stream === undefined) throw new CommandError(noSuchKey);
      const { entries, lastId, maxDeletedId, added } = stream;
      const [first] = entries;
      const last = entries.at(-1);
      return [
        ...["length", entries.length],
        ...["radix-tree-keys", entries.length === 0 ? 0 : 1],
        ...["radix-tree-nodes", entries.length === 0 ? 1 : 2],
        ...["last-generated-id", textOfId(lastId)],
        ...["max-deleted-entry-id", textOfId(maxDeletedId)],
        ...["entries-added", added],
        ...["recorded-first-entry-id", textOfId(first?.id ?? { ms: 0, seq: 0 })],
        ...["groups", 0],
        "first-entry",
        first === undefined ? null : entryReply(first),
        "last-entry",
        last === undefined ? null : entryReply(last),
      ];
    },
    (args) => args.slice(1, 2),
  ),
};
