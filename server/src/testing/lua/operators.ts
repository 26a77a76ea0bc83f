import { type LuaFunction, LuaTable, type LuaValue } from "./table.ts";

/** What a Lua program throws: any value. */
export class LuaError extends Error {
  readonly value: LuaValue;

  constructor(value: LuaValue) {
    super(value instanceof LuaTable ? String(value.get("err") ?? "a table") : String(value));
    this.value = value;
  }
}

function typeName(value: LuaValue): string {
  if (value === undefined) return "nil";
  if (value instanceof LuaTable) return "table";
  return typeof value;
}

/** What operators are compiled to. */
export const operators = {
  LuaTable,

  truthy(value: LuaValue): boolean {
    return value !== undefined && value !== false;
  },

  /** The number that an operand stands for. */
  num(value: LuaValue): number {
    if (typeof value === "number") return value;
    const number = typeof value === "string" ? toNumber(value) : undefined;
    if (number === undefined) throw new LuaError(`attempt to perform arithmetic on a ${typeName(value)} value`);
    return number;
  },

  mod(a: number, b: number): number {
    return a - Math.floor(a / b) * b;
  },

  /** The text that an operand of `..` stands for. */
  str(value: LuaValue): string {
    if (typeof value === "string") return value;
    if (typeof value === "number") return numberText(value);
    throw new LuaError(`attempt to concatenate a ${typeName(value)} value`);
  },

  lt(a: LuaValue, b: LuaValue): boolean {
    if ((typeof a === "number" && typeof b === "number") || (typeof a === "string" && typeof b === "string"))
      return a < b;
    throw new LuaError(`attempt to compare ${typeName(a)} with ${typeName(b)}`);
  },

  le(a: LuaValue, b: LuaValue): boolean {
    if ((typeof a === "number" && typeof b === "number") || (typeof a === "string" && typeof b === "string"))
      return a <= b;
    throw new LuaError(`attempt to compare ${typeName(a)} with ${typeName(b)}`);
  },

  len(value: LuaValue): number {
    if (typeof value === "string" || value instanceof LuaTable) return value.length;
    throw new LuaError(`attempt to get length of a ${typeName(value)} value`);
  },

  index(table: LuaValue, key: LuaValue): LuaValue {
    if (table instanceof LuaTable) return table.get(key);
    throw new LuaError(`attempt to index a ${typeName(table)} value (field '${String(key)}')`);
  },

  setIndex(table: LuaValue, key: LuaValue, value: LuaValue): void {
    if (!(table instanceof LuaTable)) throw new LuaError(`attempt to index a ${typeName(table)} value`);
    table.set(key, value);
  },

  /** A table that is written out: values by position, then others by key. */
  table(array: LuaValue[], pairs: readonly (readonly [LuaValue, LuaValue])[]): LuaTable {
    const table = new LuaTable(array);
    for (const [key, value] of pairs) table.set(key, value);
    return table;
  },

  fn(value: LuaValue, name: string): LuaFunction {
    if (typeof value === "function") return value;
    throw new LuaError(`attempt to call ${name} (a ${typeName(value)} value)`);
  },
};

/** A number as `tostring` writes it (`%.14g`). */
export function numberText(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e14) return String(value);
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  const [mantissa = "", exponent = "0"] = value.toExponential(13).split("e");
  const power = Number(exponent);
  if (power >= -5 && power < 14) return String(Number(value.toPrecision(14)));
  const digits = mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa;
  return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

/** The number that a text stands for, as `tonumber` finds it. */
export function toNumber(text: string): number | undefined {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const trimmed = text.trim();
  if (!/^[+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)$/.test(trimmed)) {
    const special = /^([+-]?)(inf|nan)$/i.exec(trimmed);
    if (special === null) return undefined;
    return special[2]?.toLowerCase() === "nan" ? Number.NaN : special[1] === "-" ? -Infinity : Infinity;
  }
  return trimmed.startsWith("-") ? -Number(trimmed.slice(1)) : Number(trimmed.replace("+", ""));
}
