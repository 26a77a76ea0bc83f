import type { Database } from "../database.ts";
import { ErrorReply, syntaxError } from "../reply.ts";
import { SortedSet } from "../sorted-set.ts";
import { CommandError, integerOf, type ModelCommand, reading, typedValue, writing } from "./command.ts";

const isSortedSet = (value: unknown): value is SortedSet => value instanceof SortedSet;
const notAFloat = new ErrorReply("ERR", "value is not a valid float");
const notAScore = new ErrorReply("ERR", "min or max is not a float");
const notAName = new ErrorReply("ERR", "min or max not valid string range item");

function setAt(database: Database, key: string | undefined): SortedSet | undefined {
  return typedValue(database, key, isSortedSet);
}

function scoreOf(text: string | undefined, error = notAFloat): number {
  if (/^\+?inf$/i.test(text ?? "")) return Number.POSITIVE_INFINITY;
  if (/^-inf$/i.test(text ?? "")) return Number.NEGATIVE_INFINITY;
  const score = Number(text);
  if (text === undefined || text === "" || Number.isNaN(score)) throw new CommandError(error);
  return score;
}

/** Whether a score is on the inner side of a bound, `(` in front of which leaves the bound itself out. */
function scoreBound(text: string | undefined, isLower: boolean): (score: number) => boolean {
  const isExclusive = text?.startsWith("(") ?? false;
  const bound = scoreOf(isExclusive ? text?.slice(1) : text, notAScore);
  if (isLower) return (score) => (isExclusive ? score > bound : score >= bound);
  return (score) => (isExclusive ? score < bound : score <= bound);
}

function nameBound(text: string | undefined, isLower: boolean): (name: string) => boolean {
  if (text === "-") return () => isLower;
  if (text === "+") return () => !isLower;
  const [kind, bound] = [text?.[0], text?.slice(1) ?? ""];
  if (kind === "[") return (name) => (isLower ? name >= bound : name <= bound);
  if (kind === "(") return (name) => (isLower ? name > bound : name < bound);
  throw new CommandError(notAName);
}

function dropIfEmpty(database: Database, key: string, set: SortedSet): void {
  if (set.size === 0) database.delete(key);
}

/** Commands about sorted sets. */
export const sortedSetCommands: Readonly<Record<string, ModelCommand>> = {
  ZADD: writing((database, args) => {
    const [key = "", ...pairs] = args;
    if (pairs.length === 0 || pairs.length % 2 !== 0) throw new CommandError(syntaxError);
    const set = setAt(database, key) ?? new SortedSet();
    let added = 0;
    for (let i = 0; i < pairs.length; i += 2) if (set.add(pairs[i + 1] as string, scoreOf(pairs[i]))) added++;
    if (!database.has(key)) database.set(key, set);
    database.changed("ZADD", ...args);
    return added;
  }),
  ZREM: writing((database, [key = "", ...names]) => {
    const set = setAt(database, key);
    if (set === undefined) return 0;
    const removed = names.filter((name) => set.remove(name));
    dropIfEmpty(database, key, set);
    if (removed.length > 0) database.changed("ZREM", key, ...removed);
    return removed.length;
  }),
  ZREMRANGEBYSCORE: writing((database, args) => {
    const [key = "", from, to] = args;
    const [isFrom, isTo] = [scoreBound(from, true), scoreBound(to, false)];
    const set = setAt(database, key);
    if (set === undefined) return 0;
    const removed = set.members.filter(({ score }) => isFrom(score) && isTo(score));
    for (const { name } of removed) set.remove(name);
    dropIfEmpty(database, key, set);
    if (removed.length > 0) database.changed("ZREMRANGEBYSCORE", ...args);
    return removed.length;
  }),
  ZSCORE: reading((database, [key, name = ""]) => {
    const score = setAt(database, key)?.scoreOf(name);
    return score === undefined ? null : String(score);
  }),
  ZCARD: reading((database, [key]) => setAt(database, key)?.size ?? 0),
  ZCOUNT: reading((database, [key, from, to]) => {
    const [isFrom, isTo] = [scoreBound(from, true), scoreBound(to, false)];
    return (setAt(database, key)?.members ?? []).filter(({ score }) => isFrom(score) && isTo(score)).length;
  }),
  /** As Valkey walks: from the first member that is not before the lower bound to the first that is behind the upper one. */
  ZRANGEBYLEX: reading((database, [key, from, to, ...options]) => {
    const [isFrom, isTo] = [nameBound(from, true), nameBound(to, false)];
    const names = (setAt(database, key)?.members ?? []).map(({ name }) => name);
    const first = names.findIndex(isFrom);
    const found = first < 0 ? [] : names.slice(first);
    const end = found.findIndex((name) => !isTo(name));
    const all = end < 0 ? found : found.slice(0, end);
    if (options.length === 0) return all;
    if (options[0]?.toUpperCase() !== "LIMIT") throw new CommandError(syntaxError);
    const [offset, count] = [integerOf(options[1]), integerOf(options[2])];
    return all.slice(offset, count < 0 ? undefined : offset + count);
  }),
};
