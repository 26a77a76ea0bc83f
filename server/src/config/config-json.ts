import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type MessageShape,
} from "@bufbuild/protobuf";
import { ConfigError, type ConfigProblem } from "./config-error.ts";
import { withFullEnumNames } from "./enum-name.ts";
import { expectedValue } from "./expected-value.ts";
import { nearestName } from "./nearest-name.ts";

/**
 * Reads a message from a JSON value by Protobuf's JSON mapping; enum values may be written without their prefix, in small letters.
 * @throws ConfigError naming the path of the first field that is unknown or of the wrong type
 */
export function messageFromJson<Desc extends DescMessage>(schema: Desc, json: JsonValue): MessageShape<Desc> {
  const named = withFullEnumNames(schema, json);
  const problem = messageProblem(schema, named, "");
  if (problem !== undefined) throw new ConfigError(problem);
  return fromJson(schema, named);
}

/** What is wrong with the JSON value of one field alone; undefined if nothing is. */
export function valueProblem(field: DescField, json: JsonValue, path: string): ConfigProblem | undefined {
  const { parent } = field;
  try {
    fromJson(parent, { [field.name]: field.fieldKind === "list" ? [json] : json });
    return undefined;
  } catch {
    return { field: path, problem: `cannot be ${shown(json)}`, remedy: expectedValue(field) };
  }
}

function messageProblem(schema: DescMessage, json: JsonValue, path: string): ConfigProblem | undefined {
  if (!isObject(json)) {
    return { field: path, problem: `is ${shown(json)}`, remedy: `it has the fields ${fieldNames(schema).join(", ")}` };
  }
  const chosen = new Map<string, string>();
  for (const [key, value] of Object.entries(json)) {
    const field = schema.fields.find((one) => one.name === key || one.jsonName === key);
    if (field === undefined) return unknownField(schema, key, at(path, key));
    const slot = field.oneof?.name ?? field.name;
    const earlier = chosen.get(slot);
    if (earlier !== undefined && value !== null) {
      return { field: at(path, field.name), problem: `is set beside ${earlier}`, remedy: "leave one of them out" };
    }
    if (value !== null) chosen.set(slot, key);
    const problem = value === null ? undefined : fieldProblem(field, value, at(path, field.name));
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function fieldProblem(field: DescField, value: JsonValue, path: string): ConfigProblem | undefined {
  if (field.fieldKind === "message") return messageProblem(field.message, value, path);
  if (field.fieldKind !== "list") return valueProblem(field, value, path);
  if (!Array.isArray(value)) return { field: path, problem: `is ${shown(value)}`, remedy: "write a list" };
  for (const [i, element] of value.entries()) {
    const problem =
      field.listKind === "message"
        ? messageProblem(field.message, element, `${path}[${i}]`)
        : valueProblem(field, element, `${path}[${i}]`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function unknownField(schema: DescMessage, key: string, path: string): ConfigProblem {
  const names = fieldNames(schema);
  const near = nearestName(key, names);
  const remedy = near === undefined ? `known here are ${names.join(", ")}` : `did you mean ${near}?`;
  return { field: path, problem: "is not known", remedy };
}

function fieldNames(schema: DescMessage): string[] {
  return schema.fields.map((field) => field.name);
}

function shown(json: JsonValue): string {
  if (json === null) return "empty";
  if (Array.isArray(json)) return "a list";
  return typeof json === "object" ? "a mapping" : JSON.stringify(json).slice(0, 64);
}

function isObject(json: JsonValue): json is JsonObject {
  return json !== null && typeof json === "object" && !Array.isArray(json);
}

function at(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}
