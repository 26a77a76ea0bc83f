import { LuaError, numberText, operators } from "./operators.ts";
import type { LuaValue } from "./table.ts";

/** What `string.format` makes. Known are `%s`, `%d`, `%i`, `%u`, `%x`, `%X`, `%o`, `%c`, `%f`, `%e`, `%g` and `%%`. */
export function formatText(format: string, args: readonly LuaValue[]): string {
  if (format === "%.0f") return fixed(operators.num(args[0]), 0);
  let next = 0;
  return format.replace(
    /%([-0 +#]*)(\d*)(?:\.(\d+))?([a-zA-Z%])/g,
    (directive, flags: string, width: string, precision: string | undefined, kind: string) => {
      if (kind === "%") return "%";
      const formatted = formatOne(kind, precision, args[next++]);
      if (formatted === undefined) throw new LuaError(`the format ${directive} is not known here`);
      const length = Number(width || "0");
      if (flags.includes("-")) return formatted.padEnd(length);
      return formatted.padStart(length, flags.includes("0") ? "0" : " ");
    },
  );
}

function formatOne(kind: string, precision: string | undefined, value: LuaValue): string | undefined {
  switch (kind) {
    case "s": {
      const text = typeof value === "boolean" ? String(value) : value === undefined ? "nil" : operators.str(value);
      return precision === undefined ? text : text.slice(0, Number(precision));
    }
    case "d":
    case "i":
    case "u":
      return fixed(Math.trunc(operators.num(value)), 0);
    case "x":
      return BigInt(Math.trunc(operators.num(value))).toString(16);
    case "X":
      return BigInt(Math.trunc(operators.num(value)))
        .toString(16)
        .toUpperCase();
    case "o":
      return BigInt(Math.trunc(operators.num(value))).toString(8);
    case "c":
      return String.fromCharCode(operators.num(value));
    case "f":
      return fixed(operators.num(value), Number(precision ?? "6"));
    case "g":
      return precision === "14" ? numberText(operators.num(value)) : undefined;
    default:
      return undefined;
  }
}

/** As `%.<digits>f`; `toFixed` ends at 10^21. */
function fixed(value: number, digits: number): string {
  if (digits === 0 && Number.isSafeInteger(value)) return String(value);
  if (!Number.isFinite(value)) return numberText(value);
  return Math.abs(value) < 1e21 ? value.toFixed(digits) : BigInt(value).toString();
}
