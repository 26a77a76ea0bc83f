import { type DescField, type DescMessage, type JsonObject, type JsonValue, ScalarType } from "@bufbuild/protobuf";
import { enumValueName, shortEnumNames } from "./enum-name.ts";
import { suggestion } from "./nearest-name.ts";

type Path = readonly (string | number)[];
type Report = (path: Path, problem: string) => void;

/** Keys of an object that is a matcher and no message. */
const matcherNames = [
  "$present",
  "$absent",
  "$not",
  "$oneOf",
  "$min",
  "$max",
  "$sum",
  "$matches",
  "$length",
  "$contains",
  "$anyOrder",
  "$each",
] as const;

const wide: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.SINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
]);

/**
 * Holds a template of a message against its definition, and returns it in canonical form: field names in lowerCamelCase, enum values by their
 * full names, 64-bit integers as strings. Placeholders may stand for any scalar, and matchers for anything in patterns.
 * @param pattern whether matchers are allowed
 */
export function canonicalTemplate(
  desc: DescMessage,
  json: unknown,
  options: { readonly pattern: boolean; readonly path: Path; readonly report: Report },
): JsonObject {
  return new Canonical(options.pattern, options.report).message(desc, json, options.path) as JsonObject;
}

class Canonical {
  readonly #pattern: boolean;
  readonly #report: Report;

  constructor(pattern: boolean, report: Report) {
    this.#pattern = pattern;
    this.#report = report;
  }

  message(desc: DescMessage, json: unknown, path: Path): JsonValue {
    if (isPlaceholder(json)) return json;
    if (json === null && this.#pattern) return null;
    if (!isObject(json)) {
      this.#report(path, `is ${typeof json}, and has to be an object with fields of ${desc.name}`);
      return {};
    }
    if (isMatcher(json)) return this.#matcher(json, path, (value, at) => this.message(desc, value, at));
    const result: JsonObject = {};
    for (const [key, value] of Object.entries(json)) {
      const field = desc.fields.find((one) => one.jsonName === key || one.name === key);
      if (field === undefined) {
        const names = desc.fields.map((one) => one.jsonName);
        this.#report([...path, key], `is no field of ${desc.name}${suggestion(key, names)}`);
      } else result[field.jsonName] = this.#field(field, value, [...path, key]);
    }
    return result;
  }

  #field(field: DescField, json: unknown, path: Path): JsonValue {
    if (json === null || isPlaceholder(json)) return json;
    if (field.fieldKind !== "list") return this.#single(field, json, path);
    const element = (value: unknown, at: Path) => this.#single(field, value, at);
    if (isObject(json) && isMatcher(json)) return this.#matcher(json, path, element);
    if (Array.isArray(json)) return json.map((value, i) => element(value, [...path, i]));
    this.#report(path, "has to be a list");
    return [];
  }

  #single(field: DescField, json: unknown, path: Path): JsonValue {
    if (field.message !== undefined) return this.message(field.message, json, path);
    if (isPlaceholder(json)) return json;
    if (isObject(json) && isMatcher(json)) {
      return this.#matcher(json, path, (value, at) => this.#single(field, value, at));
    }
    if (field.enum !== undefined && typeof json === "string") {
      const name = enumValueName(field.enum, json);
      if (name !== undefined) return name;
      const names = shortEnumNames(field.enum);
      this.#report(path, `is ${json}, no value of ${field.enum.name}${suggestion(json, names)}`);
    }
    if (typeof json === "object") {
      this.#report(path, `has to be a scalar: ${field.name} is no message`);
      return null;
    }
    if (field.scalar !== undefined && wide.has(field.scalar) && typeof json === "number") return String(json);
    return json as JsonValue;
  }

  #matcher(json: Record<string, unknown>, path: Path, operand: (value: unknown, at: Path) => JsonValue): JsonObject {
    if (!this.#pattern) this.#report(path, "is a matcher, and this is no pattern");
    const result: JsonObject = {};
    for (const [key, value] of Object.entries(json)) {
      if (!(matcherNames as readonly string[]).includes(key)) {
        this.#report([...path, key], `is no matcher${suggestion(key, matcherNames)}`);
      } else if (["$present", "$absent", "$matches", "$length", "$sum"].includes(key)) {
        result[key] = value as JsonValue;
      } else if (Array.isArray(value)) {
        result[key] = value.map((one, i) => operand(one, [...path, key, i]));
      } else result[key] = operand(value, [...path, key]);
    }
    return result;
  }
}

function isMatcher(json: Record<string, unknown>): boolean {
  return Object.keys(json).some((key) => key.startsWith("$"));
}

function isObject(json: unknown): json is Record<string, unknown> {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

function isPlaceholder(json: unknown): json is string {
  return typeof json === "string" && /\$\{[^}]*\}/.test(json);
}
