import type { Database } from "../database.ts";
import { ErrorReply } from "../reply.ts";
import { CommandError, integerOf, type ModelCommand, reading, typedValue, writing } from "./command.ts";

const isHash = (value: unknown): value is Map<string, string> => value instanceof Map;

function hashAt(database: Database, key: string | undefined): Map<string, string> | undefined {
  return typedValue(database, key, isHash);
}

function madeHash(database: Database, key: string): Map<string, string> {
  const known = hashAt(database, key);
  if (known !== undefined) return known;
  const made = new Map<string, string>();
  database.set(key, made);
  return made;
}

const wrongCount = new ErrorReply("ERR", "wrong number of arguments for 'hset' command");

/** Commands about hashes. */
export const hashCommands: Readonly<Record<string, ModelCommand>> = {
  HGET: reading((database, [key, field = ""]) => hashAt(database, key)?.get(field) ?? null),
  HMGET: reading((database, [key, ...fields]) => {
    const hash = hashAt(database, key);
    return fields.map((field) => hash?.get(field) ?? null);
  }),
  HGETALL: reading((database, [key]) => [...(hashAt(database, key) ?? [])].flat()),
  HKEYS: reading((database, [key]) => [...(hashAt(database, key)?.keys() ?? [])]),
  HVALS: reading((database, [key]) => [...(hashAt(database, key)?.values() ?? [])]),
  HLEN: reading((database, [key]) => hashAt(database, key)?.size ?? 0),
  HEXISTS: reading((database, [key, field = ""]) => (hashAt(database, key)?.has(field) ? 1 : 0)),
  HSET: writing((database, args) => {
    const [key = "", ...pairs] = args;
    if (pairs.length === 0 || pairs.length % 2 !== 0) throw new CommandError(wrongCount);
    const hash = madeHash(database, key);
    const before = hash.size;
    for (let i = 0; i < pairs.length; i += 2) hash.set(pairs[i] as string, pairs[i + 1] as string);
    database.changed("HSET", ...args);
    return hash.size - before;
  }),
  HDEL: writing((database, [key = "", ...fields]) => {
    const hash = hashAt(database, key);
    if (hash === undefined) return 0;
    const deleted = fields.filter((field) => hash.delete(field));
    if (hash.size === 0) database.delete(key);
    if (deleted.length > 0) database.changed("HDEL", key, ...deleted);
    return deleted.length;
  }),
  HINCRBY: writing((database, [key = "", field = "", by]) => {
    const step = integerOf(by);
    const next = integerOf(hashAt(database, key)?.get(field) ?? "0") + step;
    const hash = madeHash(database, key);
    hash.set(field, `${next}`);
    database.changed("HINCRBY", key, field, `${step}`);
    return next;
  }),
};
