import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

/** The value of a placeholder's path; undefined if there is none. */
export type Lookup = (path: string) => JsonValue | undefined;

/** A placeholder that stands for nothing. */
export class UnknownPlaceholder extends Error {
  override readonly name = "UnknownPlaceholder";
}

const placeholder = /\$\{([^}]*)\}/g;

/**
 * Fills in the placeholders of a JSON value. A string that is one placeholder alone takes the type of its value.
 * @throws UnknownPlaceholder
 */
export function fillIn<T extends JsonValue>(value: T, lookup: Lookup): T;
export function fillIn(value: JsonValue, lookup: Lookup): JsonValue {
  if (typeof value === "string") return fillInText(value, lookup);
  if (Array.isArray(value)) return value.map((one) => fillIn(one, lookup));
  if (typeof value !== "object" || value === null) return value;
  const result: JsonObject = {};
  for (const [key, one] of Object.entries(value)) result[fillInKey(key, lookup)] = fillIn(one, lookup);
  return result;
}

function fillInKey(key: string, lookup: Lookup): string {
  return key.includes("${") ? String(fillInText(key, lookup)) : key;
}

function fillInText(text: string, lookup: Lookup): JsonValue {
  const [whole] = text.matchAll(placeholder);
  if (whole !== undefined && whole[0] === text) return found(whole[1] ?? "", lookup);
  return text.replace(placeholder, (_, path: string) => {
    const value = found(path, lookup);
    return typeof value === "string" ? value : JSON.stringify(value);
  });
}

function found(path: string, lookup: Lookup): JsonValue {
  const value = lookup(path);
  if (value === undefined) throw new UnknownPlaceholder(`\${${path}} stands for nothing here`);
  return value;
}

/** The paths of all placeholders in a JSON value. */
export function placeholdersIn(value: unknown): string[] {
  const text = JSON.stringify(value, (_, one: unknown) => (typeof one === "bigint" ? String(one) : one)) ?? "";
  return [...text.matchAll(placeholder)].map((match) => match[1] ?? "");
}

/** The value at a path of names and list indexes between dots; undefined if there is none. */
export function valueAt(value: JsonValue | undefined, path: readonly string[]): JsonValue | undefined {
  let current: JsonValue | undefined = value;
  for (const part of path) {
    if (Array.isArray(current)) current = current[Number(part)];
    else if (typeof current === "object" && current !== null) current = current[part];
    else return undefined;
  }
  return current;
}
