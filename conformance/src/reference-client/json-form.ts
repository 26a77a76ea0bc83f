import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { ClientBreaks } from "../mutants/client-mutants.ts";

/** A message in JSON, as its mutants would write it. */
export function brokenJson(json: JsonValue, breaks: ClientBreaks): string {
  let text = JSON.stringify(json);
  if (breaks.has("json-numbers-not-strings")) text = text.replaceAll(/:"(\d+)"/g, ":$1");
  if (breaks.has("json-proto-names")) {
    text = text.replaceAll(
      /"(\w+)":/g,
      (_, name: string) => `"${name.replaceAll(/[A-Z]/g, (one) => `_${one.toLowerCase()}`)}":`,
    );
  }
  return text;
}

/** Throws at what a mutant does not understand. */
export function readStrictly(json: JsonValue, breaks: ClientBreaks): void {
  walk(json, (key, value) => {
    if (breaks.has("json-null-refused") && value === null) throw new Error(`${key} is null`);
    if (breaks.has("json-proto-names-refused") && key.includes("_")) throw new Error(`${key} is no name`);
    if (breaks.has("json-enum-names-refused") && typeof value === "string" && /^[A-Z]+_[A-Z_]+$/.test(value)) {
      throw new Error(`${key} is ${value}`);
    }
  });
}

/** The same without members that are null: the runtime takes one beside the chosen member of a oneof for a second choice. */
export function withoutNulls(json: JsonValue): JsonValue {
  if (Array.isArray(json)) return json.map(withoutNulls);
  if (typeof json !== "object" || json === null) return json;
  const members = Object.entries(json).filter(([, value]) => value !== null);
  return Object.fromEntries(members.map(([key, value]) => [key, withoutNulls(value)]));
}

function walk(json: JsonValue, visit: (key: string, value: JsonValue) => void): void {
  if (Array.isArray(json)) for (const one of json) walk(one, visit);
  if (typeof json !== "object" || json === null || Array.isArray(json)) return;
  for (const [key, value] of Object.entries(json as JsonObject)) {
    visit(key, value);
    walk(value, visit);
  }
}
