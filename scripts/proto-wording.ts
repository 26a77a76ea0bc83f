import {
  type DescEnumValue,
  type DescField,
  type DescOneof,
  getOption,
  hasOption,
  ScalarType,
} from "@bufbuild/protobuf";
import {
  bounds as boundsOption,
  Charset,
  type ClosePolicy,
  close as closeOption,
  type ErrorPolicy,
  error as errorOption,
  feature as featureOption,
  ReconnectPolicy,
  required as requiredOption,
} from "@fanfare/proto/v1";

/** The type of a field as a proto file writes it, names of its own package without the package. */
export function typeText(field: DescField): string {
  const { fieldKind, message, enum: enumeration, scalar } = field;
  const label = fieldKind === "list" ? "repeated " : field.proto.proto3Optional ? "optional " : "";
  const type = message ?? enumeration;
  if (type !== undefined) {
    const own = `${field.parent.file.proto.package}.`;
    return label + (type.typeName.startsWith(own) ? type.typeName.slice(own.length) : type.typeName);
  }
  if (scalar === undefined) throw new Error(`${field.toString()}: maps are not in use`);
  return label + ScalarType[scalar].toLowerCase();
}

/** What a field may hold, in words; empty if everything its type can. */
export function boundsText(field: DescField): string {
  if (!hasOption(field, boundsOption)) return "";
  const { minLen, maxLen, minItems, maxItems, min, max, charset, required } = getOption(field, boundsOption);
  const isBool = field.scalar === ScalarType.BOOL;
  return [
    required ? (isBool ? "true" : "required") : "",
    range(minItems, maxItems, field.fieldKind === "list" ? "elements" : ""),
    range(minLen, maxLen, "bytes", field.fieldKind === "list" ? "each " : ""),
    range(min, max, ""),
    charset === Charset.UNSPECIFIED ? "" : charsetText[charset],
  ]
    .filter((part) => part !== "")
    .join(", ");
}

/** The feature that a field belongs to; empty if it is of the core. */
export function featureOf(field: DescField): string {
  return hasOption(field, featureOption) ? getOption(field, featureOption) : "";
}

/** Whether one member of a oneof has to be set. */
export function isRequired(oneof: DescOneof): boolean {
  return hasOption(oneof, requiredOption) && getOption(oneof, requiredOption);
}

/** The policy of an error code; undefined where none is stated. */
export function errorPolicyOf(value: DescEnumValue): ErrorPolicy | undefined {
  return hasOption(value, errorOption) ? getOption(value, errorOption) : undefined;
}

/** The policy of a close code; undefined where none is stated. */
export function closePolicyOf(value: DescEnumValue): ClosePolicy | undefined {
  return hasOption(value, closeOption) ? getOption(value, closeOption) : undefined;
}

/** What a client does after a close, in words. */
export const reconnectText: Record<ReconnectPolicy, string> = {
  [ReconnectPolicy.UNSPECIFIED]: "back off",
  [ReconnectPolicy.NEVER]: "never",
  [ReconnectPolicy.BACKOFF]: "back off",
  [ReconnectPolicy.SOON]: "soon",
  [ReconnectPolicy.NEW_TOKEN]: "new token",
};

const charsetText: Record<Charset, string> = {
  [Charset.UNSPECIFIED]: "",
  [Charset.NAME]: "charset NAME",
  [Charset.IDENTIFIER]: "charset IDENTIFIER",
  [Charset.VISIBLE]: "charset VISIBLE",
};

function range(
  least: number | bigint | undefined,
  most: number | bigint | undefined,
  unit: string,
  prefix = "",
): string {
  if (least === undefined && most === undefined) return "";
  const text =
    least === undefined
      ? `at most ${most}`
      : most === undefined
        ? `at least ${least}`
        : least === most
          ? `exactly ${least}`
          : `${least} to ${most}`;
  return `${prefix}${text}${unit === "" ? "" : ` ${unit}`}`;
}
