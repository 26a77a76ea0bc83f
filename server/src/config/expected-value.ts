import { type DescEnum, type DescField, type DescMessage, getOption, hasOption, ScalarType } from "@bufbuild/protobuf";
import { bounds } from "@fanfare/proto/v1";

/** What to write for one value of a field, as an imperative sentence. */
export function expectedValue(field: DescField): string {
  if (field.enum !== undefined) return `use one of ${enumNames(field.enum).join(", ")}`;
  switch (field.scalar) {
    case ScalarType.STRING:
      return "write a text, in quotes if it looks like something else";
    case ScalarType.BOOL:
      return "write true or false";
    case ScalarType.UINT32:
      return `write a whole number from ${leastOf(field)} to ${mostOf(field) ?? 4_294_967_295}`;
    default:
      return "write a whole number that is not negative";
  }
}

/** The same for the number at a path, for instance `listen.port`; empty if there is no number. */
export function expectedNumber(schema: DescMessage, path: string): string {
  let message: DescMessage | undefined = schema;
  let field: DescField | undefined;
  for (const name of path.replaceAll(/\[\d+\]/g, "").split(".")) {
    field = message?.fields.find((one) => one.name === name);
    message = field?.message;
  }
  return field?.scalar === ScalarType.UINT32 ? expectedValue(field) : "";
}

function leastOf(field: DescField): number {
  return hasOption(field, bounds) ? Number(getOption(field, bounds).min ?? 0) : 0;
}

function mostOf(field: DescField): number | undefined {
  const most = hasOption(field, bounds) ? getOption(field, bounds).max : undefined;
  return most === undefined ? undefined : Number(most);
}

function enumNames(type: DescEnum): string[] {
  return type.values.filter(({ number }) => number !== 0).map(({ name }) => name);
}
