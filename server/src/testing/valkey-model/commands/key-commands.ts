import type { Value } from "../database.ts";
import { ErrorReply, ok, syntaxError } from "../reply.ts";
import { Stream } from "../stream.ts";
import { allAreKeys, CommandError, integerOf, type ModelCommand, reading, typedValue, writing } from "./command.ts";

const isString = (value: unknown): value is string => typeof value === "string";

function setCommand(database: Parameters<ModelCommand["run"]>[0], args: readonly string[]) {
  const [key = "", value = "", ...options] = args;
  let expiresAtMs: number | undefined;
  let condition = "";
  for (let i = 0; i < options.length; i++) {
    const option = (options[i] as string).toUpperCase();
    if (option === "NX" || option === "XX") condition = option;
    else if (option === "PX" || option === "EX") {
      expiresAtMs = database.nowMs + integerOf(options[++i]) * (option === "EX" ? 1000 : 1);
    } else if (option === "PXAT") expiresAtMs = integerOf(options[++i]);
    else throw new CommandError(syntaxError);
  }
  if (condition === "NX" && database.has(key)) return null;
  if (condition === "XX" && !database.has(key)) return null;
  database.set(key, value, expiresAtMs);
  database.changed("SET", key, value, ...(expiresAtMs === undefined ? [] : ["PXAT", `${expiresAtMs}`]));
  return ok;
}

function expireAt(database: Parameters<ModelCommand["run"]>[0], key: string, atMs: number, options: readonly string[]) {
  const before = database.expiryOf(key);
  if (!database.has(key)) return 0;
  for (const option of options) {
    const name = option.toUpperCase();
    if (name === "NX" && before !== undefined) return 0;
    if (name === "XX" && before === undefined) return 0;
    if (name === "GT" && (before === undefined || atMs <= before)) return 0;
    if (name === "LT" && before !== undefined && atMs >= before) return 0;
  }
  if (atMs <= database.nowMs && !database.isReplica) {
    database.delete(key);
    database.changed("DEL", key);
    return 1;
  }
  database.setExpiry(key, atMs);
  database.changed("PEXPIREAT", key, `${atMs}`);
  return 1;
}

const deleting = writing((database, keys) => {
  const deleted = keys.filter((key) => database.delete(key));
  if (deleted.length > 0) database.changed("DEL", ...deleted);
  return deleted.length;
}, allAreKeys);

/** Commands about keys of any type, and about strings. */
export const keyCommands: Readonly<Record<string, ModelCommand>> = {
  SET: writing(setCommand),
  GET: reading((database, [key]) => typedValue(database, key, isString) ?? null),
  DEL: deleting,
  UNLINK: deleting,
  EXISTS: reading((database, keys) => keys.filter((key) => database.has(key)).length, allAreKeys),
  TYPE: reading((database, [key]) => typeOf(database.get(key ?? ""))),
  PEXPIRE: writing((database, [key = "", ms, ...options]) =>
    expireAt(database, key, database.nowMs + integerOf(ms), options),
  ),
  PEXPIREAT: writing((database, [key = "", ms, ...options]) => expireAt(database, key, integerOf(ms), options)),
  EXPIRE: writing((database, [key = "", s, ...options]) =>
    expireAt(database, key, database.nowMs + 1000 * integerOf(s), options),
  ),
  PERSIST: writing((database, [key = ""]) => {
    if (database.expiryOf(key) === undefined) return 0;
    database.setExpiry(key, undefined);
    database.changed("PERSIST", key);
    return 1;
  }),
  PTTL: reading((database, [key = ""]) => {
    if (!database.has(key)) return -2;
    const expiresAtMs = database.expiryOf(key);
    return expiresAtMs === undefined ? -1 : Math.round(expiresAtMs - database.nowMs);
  }),
  INCR: writing((database, [key = ""]) => {
    const next = integerOf(typedValue(database, key, isString) ?? "0") + 1;
    database.set(key, `${next}`, database.expiryOf(key));
    database.changed("INCR", key);
    return next;
  }),
  SCAN: reading(
    (database, [cursor, ...options]) => {
      const pattern = optionOf(options, "MATCH") ?? "*";
      const count = integerOf(optionOf(options, "COUNT") ?? "10");
      const type = optionOf(options, "TYPE");
      const all = [...database.keys].filter((key) => database.has(key));
      const from = integerOf(cursor);
      const matching = all.slice(from, from + count).filter((key) => globOf(pattern).test(key));
      const found = matching.filter((key) => type === undefined || typeOf(database.get(key)) === type);
      return [from + count >= all.length ? "0" : `${from + count}`, found];
    },
    () => [],
  ),
};

function typeOf(value: Value | undefined): string {
  if (value === undefined) return "none";
  if (typeof value === "string") return "string";
  if (value instanceof Map) return "hash";
  return value instanceof Stream ? "stream" : "zset";
}

function optionOf(options: readonly string[], name: string): string | undefined {
  const index = options.findIndex((option) => option.toUpperCase() === name);
  return index < 0 ? undefined : options[index + 1];
}

function globOf(pattern: string): RegExp {
  if (/[[\]\\]/.test(pattern)) throw new CommandError(new ErrorReply("ERR", `the model does not know ${pattern}`));
  return new RegExp(
    `^${pattern
      .replace(/[.+^${}()|]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".")}$`,
    "s",
  );
}
