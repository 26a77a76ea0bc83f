import type { DescEnum, DescField, DescMessage, JsonValue } from "@bufbuild/protobuf";

/**
 * The JSON of a message with the full names of its enum values. People write them without the prefix, and in small letters: `debug` for
 * `LOG_LEVEL_DEBUG`. What is no name of the enum stays as it is.
 */
export function withFullEnumNames(schema: DescMessage, json: JsonValue): JsonValue {
  if (json === null || typeof json !== "object" || Array.isArray(json)) return json;
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => {
      const field = schema.fields.find((one) => one.name === key || one.jsonName === key);
      return [key, field === undefined ? value : withFullNames(field, value)];
    }),
  );
}

/** The same of the value of one field. */
export function withFullNames(field: DescField, json: JsonValue): JsonValue {
  if (field.fieldKind === "list" && Array.isArray(json)) return json.map((element) => ofElement(field, element));
  return ofElement(field, json);
}

function ofElement({ message, enum: type }: DescField, json: JsonValue): JsonValue {
  if (message !== undefined) return withFullEnumNames(message, json);
  return type === undefined || typeof json !== "string" ? json : (fullName(type, json) ?? json);
}

function fullName({ values, sharedPrefix = "" }: DescEnum, text: string): string | undefined {
  const wanted = text.toUpperCase();
  return values.find(({ name }) => name === wanted || name === sharedPrefix.toUpperCase() + wanted)?.name;
}
