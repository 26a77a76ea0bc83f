import { formatText } from "./format.ts";
import { LuaError, numberText, operators, toNumber } from "./operators.ts";
import { patternOf } from "./patterns.ts";
import { type LuaFunction, LuaTable, type LuaValue } from "./table.ts";

const { num, str, lt } = operators;

/** The part of Lua's standard library that programs in Valkey use here. */
export function standardLibrary(): Record<string, LuaValue> {
  return { ...basics, math: library(math), string: library(string), table: library(table) };
}

/** A table of functions. */
export function library(functions: Readonly<Record<string, LuaValue>>): LuaTable {
  return operators.table([], Object.entries(functions));
}

const basics: Record<string, LuaFunction> = {
  assert: (...args) => {
    if (operators.truthy(args[0])) return args;
    throw new LuaError(args[1] ?? "assertion failed!");
  },
  error: (value) => {
    throw new LuaError(value);
  },
  ipairs: (list) => {
    let i = 0;
    return [
      () => {
        const value = operators.index(list, ++i);
        return value === undefined ? [] : [i, value];
      },
    ];
  },
  next: (of) => {
    for (const pair of asTable(of).pairs()) return pair;
    return [];
  },
  pairs: (of) => {
    const pairs = asTable(of).pairs();
    return [() => pairs.next().value ?? []];
  },
  pcall: (callee, ...args) => {
    try {
      return [true, ...operators.fn(callee, "what pcall was given")(...args)];
    } catch (reason) {
      if (!(reason instanceof LuaError)) throw reason;
      return [false, reason.value];
    }
  },
  select: (which, ...args) => (which === "#" ? [args.length] : args.slice(num(which) - 1)),
  tonumber: (value, base) => {
    if (typeof value === "number") return [value];
    if (typeof value !== "string") return [];
    if (base === undefined || base === 10) return [toNumber(value)];
    const parsed = Number.parseInt(value, num(base));
    return [Number.isNaN(parsed) ? undefined : parsed];
  },
  tostring: (value) => [textOf(value)],
  type: (value) => [value === undefined ? "nil" : value instanceof LuaTable ? "table" : typeof value],
  unpack: (list, from = 1, to = operators.len(list)) => {
    const found: LuaValue[] = [];
    for (let i = num(from); i <= num(to); i++) found.push(operators.index(list, i));
    return found;
  },
};

const math: Record<string, LuaValue> = {
  abs: (value) => [Math.abs(num(value))],
  ceil: (value) => [Math.ceil(num(value))],
  floor: (value) => [Math.floor(num(value))],
  huge: Number.POSITIVE_INFINITY,
  max: (...all) => [Math.max(...all.map(num))],
  min: (...all) => [Math.min(...all.map(num))],
};

const string: Record<string, LuaFunction> = {
  byte: (text, from = 1, to = from) => [...slice(str(text), num(from), num(to))].map((char) => char.charCodeAt(0)),
  char: (...bytes) => [String.fromCharCode(...bytes.map(num))],
  find: (text, pattern, from = 1, isPlain = false) => {
    const start = startOf(str(text), num(from));
    const rest = str(text).slice(start);
    if (operators.truthy(isPlain)) {
      const at = rest.indexOf(str(pattern));
      return at < 0 ? [] : [start + at + 1, start + at + str(pattern).length];
    }
    const found = patternOf(str(pattern)).exec(rest);
    if (found === null) return [];
    return [start + found.index + 1, start + found.index + found[0].length, ...found.slice(1)];
  },
  format: (format, ...args) => [formatText(str(format), args)],
  gsub: (text, pattern, replacement) => {
    const every = new RegExp(patternOf(str(pattern)).source, "gs");
    let count = 0;
    const result = str(text).replace(every, (whole: string, ...captures: string[]) => {
      count++;
      return str(replacement).replace(/%(.)/g, (_, which: string) =>
        which === "0" ? whole : /\d/.test(which) ? (captures[Number(which) - 1] ?? whole) : which,
      );
    });
    return [result, count];
  },
  len: (text) => [str(text).length],
  lower: (text) => [str(text).replace(/[A-Z]/g, (char) => char.toLowerCase())],
  match: (text, pattern, from = 1) => {
    const found = patternOf(str(pattern)).exec(str(text).slice(startOf(str(text), num(from))));
    if (found === null) return [];
    return found.length === 1 ? [found[0]] : found.slice(1);
  },
  rep: (text, count) => [str(text).repeat(Math.max(0, num(count)))],
  sub: (text, from = 1, to = -1) => [slice(str(text), num(from), num(to))],
  upper: (text) => [str(text).replace(/[a-z]/g, (char) => char.toUpperCase())],
};

const table: Record<string, LuaFunction> = {
  concat: (list, separator = "", from = 1, to = operators.len(list)) => {
    const parts: string[] = [];
    for (let i = num(from); i <= num(to); i++) parts.push(str(operators.index(list, i)));
    return [parts.join(str(separator))];
  },
  insert: (list, ...args) => {
    const { array } = asTable(list);
    if (args.length === 1) array.push(args[0]);
    else array.splice(num(args[0]) - 1, 0, args[1]);
    return [];
  },
  remove: (list, at) => {
    const { array } = asTable(list);
    return array.length === 0 ? [] : array.splice((at === undefined ? array.length : num(at)) - 1, 1);
  },
  sort: (list, isBefore) => {
    const before =
      isBefore === undefined ? lt : (a: LuaValue, b: LuaValue) => operators.truthy(operators.fn(isBefore, "")(a, b)[0]);
    asTable(list).array.sort((a, b) => (before(a, b) ? -1 : before(b, a) ? 1 : 0));
    return [];
  },
};

function asTable(value: LuaValue): LuaTable {
  if (value instanceof LuaTable) return value;
  throw new LuaError("a table is expected");
}

function textOf(value: LuaValue): string {
  if (typeof value === "number") return numberText(value);
  if (value instanceof LuaTable || typeof value === "function")
    throw new LuaError("a table or function has no text here");
  return value === undefined ? "nil" : String(value);
}

/** Of an index from 1 on, or from the end. */
function startOf({ length }: string, from: number): number {
  return from >= 0 ? Math.max(0, from - 1) : Math.max(0, length + from);
}

function slice(text: string, from: number, to: number): string {
  return text.slice(startOf(text, from), to < 0 ? text.length + to + 1 : to);
}
