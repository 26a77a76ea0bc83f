import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/**
 * Holds a value against a partial pattern. An object needs the pattern's members and may have more; a list needs as many elements as the pattern;
 * null stands for absent; an object with a `$` key is a matcher.
 * @returns what differs, with its path; undefined if the value matches
 */
export function mismatch(pattern: JsonValue, value: JsonValue | undefined, path = ""): string | undefined {
  const at = path === "" ? "it" : path;
  if (pattern === null) return isAbsent(value) ? undefined : `${at} is ${shown(value)}, and has to be absent`;
  if (isObject(pattern)) {
    if (Object.keys(pattern).some((key) => key.startsWith("$"))) return matcherMismatch(pattern, value, path);
    if (!isObject(value)) return `${at} is ${shown(value)}, and has to be an object`;
    for (const [key, one] of Object.entries(pattern)) {
      const problem = mismatch(one, value[key], path === "" ? key : `${path}.${key}`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
  if (Array.isArray(pattern)) {
    if (!Array.isArray(value)) return `${at} is ${shown(value)}, and has to be a list`;
    if (value.length !== pattern.length) {
      return `${at} has ${value.length} elements instead of ${pattern.length}: ${shown(value)}`;
    }
    return firstOf(pattern, (one, i) => mismatch(one, value[i], `${path}[${i}]`));
  }
  return isSame(pattern, value) ? undefined : `${at} is ${shown(value)}, and has to be ${shown(pattern)}`;
}

/** Whether a value matches a pattern. */
export function matches(pattern: JsonValue, value: JsonValue | undefined): boolean {
  return mismatch(pattern, value) === undefined;
}

function matcherMismatch(matcher: JsonObject, value: JsonValue | undefined, path: string): string | undefined {
  return firstOf(Object.entries(matcher), ([name, operand]) => operators[name]?.(operand, value, path));
}

type Operator = (operand: JsonValue, value: JsonValue | undefined, path: string) => string | undefined;

const operators: Record<string, Operator> = {
  $present: (_, value, path) => (isAbsent(value) ? `${path} is ${shown(value)}, and has to be set` : undefined),
  $absent: (_, value, path) => (isAbsent(value) ? undefined : `${path} is ${shown(value)}, and has to be absent`),
  $not: (operand, value, path) =>
    matches(operand, value) ? `${path} is ${shown(value)}, and must not match ${shown(operand)}` : undefined,
  $oneOf: (operand, value, path) =>
    listOf(operand).some((one) => matches(one, value))
      ? undefined
      : `${path} is ${shown(value)}, and has to be one of ${shown(operand)}`,
  $min: (operand, value, path) =>
    Number(value) >= numberOf(operand)
      ? undefined
      : `${path} is ${shown(value)}, and has to be at least ${shown(operand)}`,
  $max: (operand, value, path) =>
    Number(value) <= numberOf(operand)
      ? undefined
      : `${path} is ${shown(value)}, and has to be at most ${shown(operand)}`,
  $sum: (operand, value, path) => {
    const sum = sumOf(operand);
    return isSame(String(sum), value) ? undefined : `${path} is ${shown(value)}, and has to be ${sum}`;
  },
  $matches: (operand, value, path) =>
    typeof value === "string" && new RegExp(String(operand)).test(value)
      ? undefined
      : `${path} is ${shown(value)}, and has to match /${String(operand)}/`,
  $length: (operand, value, path) => {
    const length = Array.isArray(value) || typeof value === "string" ? value.length : 0;
    return mismatch(operand, length, `the length of ${path}`);
  },
  $contains: (operand, value, path) =>
    firstOf(listOf(operand), (one) =>
      listOf(value).some((element) => matches(one, element))
        ? undefined
        : `${path} is ${shown(value)}, and has to contain ${shown(one)}`,
    ),
  $anyOrder: (operand, value, path) => {
    const wanted = listOf(operand);
    const rest = [...listOf(value)];
    for (const one of wanted) {
      const index = rest.findIndex((element) => matches(one, element));
      if (index === -1) return `${path} is ${shown(value)}, and has to contain ${shown(one)}`;
      rest.splice(index, 1);
    }
    return rest.length === 0 ? undefined : `${path} holds more than it may: ${shown(rest)}`;
  },
  $each: (operand, value, path) => firstOf(listOf(value), (element, i) => mismatch(operand, element, `${path}[${i}]`)),
};

function sumOf(operand: JsonValue): number {
  return listOf(operand).reduce<number>((before, one) => before + Number(one), 0);
}

/** A number, or a sum of numbers. */
function numberOf(operand: JsonValue): number {
  return isObject(operand) && operand.$sum !== undefined ? sumOf(operand.$sum) : Number(operand);
}

function firstOf<T>(list: readonly T[], find: (one: T, i: number) => string | undefined): string | undefined {
  for (const [i, one] of list.entries()) {
    const problem = find(one, i);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Defaults count as absent: on the wire they are. */
function isAbsent(value: JsonValue | undefined): boolean {
  if (value === undefined || value === null || value === "" || value === 0 || value === "0" || value === false)
    return true;
  if (typeof value === "string") return value.endsWith("_UNSPECIFIED");
  return Array.isArray(value) && value.length === 0;
}

/** 64-bit integers are strings in JSON, and numbers where a case computes with them. */
function isSame(a: JsonValue, b: JsonValue | undefined): boolean {
  if (a === b) return true;
  return (typeof a === "number" || typeof b === "number") && typeof b !== "object" && String(a) === String(b);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

/** JSON, cut where it is too long to read. */
export function shown(value: JsonValue | undefined): string {
  const text = value === undefined ? "absent" : JSON.stringify(value);
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}
