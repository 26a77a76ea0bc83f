import {
  type DescField,
  type DescMessage,
  type DescOneof,
  getOption,
  hasOption,
  type Message,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  type Bounds,
  bounds as boundsOption,
  Charset,
  required as requiredOption,
} from "../gen/fanfare/v1/options_pb.js";

/** The first bound a message breaks. */
export interface Violation {
  /** Path of the field in proto names, for instance `channel.group` or `frames[3].id`. */
  field: string;
  /** What is wrong with it, in a sentence without the field's name. */
  message: string;
}

/** Returns the first bound that the message breaks, or undefined if it keeps all of them. */
export type Validator<T extends Message> = (message: T) => Violation | undefined;

type Fields = Record<string, unknown>;
type Check = (message: Fields) => Violation | undefined;
type ValueCheck = (value: unknown) => Violation | undefined;

const compiled = new WeakMap<DescMessage, Check>();

/**
 * The validator of a message type and everything it contains, compiled from the `bounds` and `required` options of its fields.
 * Compiled once for each type; call it at start, not for each message.
 */
export function validatorFor<Desc extends DescMessage>(schema: Desc): Validator<MessageShape<Desc>> {
  return checkFor(schema) as Validator<MessageShape<Desc>>;
}

function checkFor(schema: DescMessage): Check {
  const known = compiled.get(schema);
  if (known !== undefined) return known;
  let checks: Check[] = [];
  const check: Check = (message) => {
    for (const one of checks) {
      const violation = one(message);
      if (violation !== undefined) return violation;
    }
    return undefined;
  };
  compiled.set(schema, check); // before its fields, because types may contain themselves
  checks = schema.members
    .map((member) => (member.kind === "oneof" ? oneofCheck(member) : fieldCheck(member)))
    .filter((one) => one !== undefined);
  return check;
}

function oneofCheck(oneof: DescOneof): Check | undefined {
  const required = hasOption(oneof, requiredOption) && getOption(oneof, requiredOption);
  const byCase = new Map<string, ValueCheck>();
  for (const field of oneof.fields) {
    const check = valueCheck(field, boundsOf(field));
    if (check !== undefined) byCase.set(field.localName, under(field.name, check));
  }
  if (!required && byCase.size === 0) return undefined;
  const names = oneof.fields.map((field) => field.name).join(", ");
  const missing: Violation = { field: oneof.name, message: `one of ${names} has to be set` };
  return (message) => {
    const chosen = message[oneof.localName] as { case: string | undefined; value?: unknown };
    if (chosen.case === undefined) return required ? missing : undefined;
    return byCase.get(chosen.case)?.(chosen.value);
  };
}

function fieldCheck(field: DescField): Check | undefined {
  const bounds = boundsOf(field);
  if (field.fieldKind === "list") return listCheck(field, bounds);
  const value = valueCheck(field, bounds);
  const inner = value && under(field.name, value);
  const checkDefault = bounds?.minLen !== undefined || bounds?.min !== undefined;
  const required = bounds?.required ?? false;
  if (inner === undefined && !required) return undefined;
  const missing: Violation = { field: field.name, message: "has to be set" };
  const explicit = field.fieldKind === "message" || field.presence !== 2; // FieldPresence IMPLICIT
  return (message) => {
    const current = message[field.localName];
    const absent = explicit ? current === undefined : isDefault(current);
    if (absent && required) return missing;
    if (absent && (explicit || !checkDefault)) return undefined;
    return inner?.(current);
  };
}

function listCheck(field: DescField & { fieldKind: "list" }, bounds: Bounds | undefined): Check | undefined {
  const element = valueCheck(field, bounds);
  const minItems = Math.max(bounds?.minItems ?? 0, bounds?.required ? 1 : 0);
  const maxItems = bounds?.maxItems ?? Number.POSITIVE_INFINITY;
  if (element === undefined && minItems === 0 && maxItems === Number.POSITIVE_INFINITY) return undefined;
  return (message) => {
    const list = message[field.localName] as unknown[];
    if (list.length < minItems) return { field: field.name, message: `needs at least ${minItems} elements` };
    if (list.length > maxItems) return { field: field.name, message: `has more than ${maxItems} elements` };
    if (element === undefined) return undefined;
    for (let i = 0; i < list.length; i++) {
      const violation = element(list[i]);
      if (violation !== undefined) return at(`${field.name}[${i}]`, violation);
    }
    return undefined;
  };
}

/** The check of one value: of the field itself, or of one element of a list. */
function valueCheck(field: DescField, bounds: Bounds | undefined): ValueCheck | undefined {
  if (field.message !== undefined) return checkFor(field.message) as ValueCheck;
  if (bounds === undefined) return undefined;
  const { minLen = 0, maxLen = Number.POSITIVE_INFINITY, charset } = bounds;
  const min = bounds.min === undefined ? undefined : Number(bounds.min);
  const max = bounds.max === undefined ? undefined : Number(bounds.max);
  return (value) => {
    if (typeof value === "string") return stringViolation(value, minLen, maxLen, charset);
    if (value instanceof Uint8Array) return lengthViolation(value.length, minLen, maxLen);
    if (typeof value === "boolean")
      return value || !bounds.required ? undefined : { field: "", message: "has to be true" };
    if (typeof value === "number" || typeof value === "bigint") {
      if (min !== undefined && value < min) return { field: "", message: `is less than ${min}` };
      if (max !== undefined && value > max) return { field: "", message: `is greater than ${max}` };
    }
    return undefined;
  };
}

function stringViolation(value: string, minLen: number, maxLen: number, charset: Charset): Violation | undefined {
  const length = value.length * 3 <= maxLen && value.length >= minLen ? value.length : utf8Length(value);
  const violation = lengthViolation(length, minLen, maxLen);
  if (violation !== undefined) return violation;
  if (charset !== Charset.UNSPECIFIED && !charsetAllows(value, charset)) {
    return { field: "", message: `has a character that is not allowed (${charsetNames[charset]})` };
  }
  return undefined;
}

function lengthViolation(length: number, minLen: number, maxLen: number): Violation | undefined {
  if (length < minLen)
    return { field: "", message: length === 0 ? "has to be set" : `is shorter than ${minLen} bytes` };
  if (length > maxLen) return { field: "", message: `is longer than ${maxLen} bytes` };
  return undefined;
}

const charsetNames: Record<Charset, string> = {
  [Charset.UNSPECIFIED]: "any",
  [Charset.NAME]: "allowed are A-Z a-z 0-9 _ - . : @ / + = ~",
  [Charset.IDENTIFIER]: "allowed are A-Z a-z 0-9 _ - .",
  [Charset.VISIBLE]: "allowed is visible ASCII without blanks",
};

/** For each ASCII character a bit mask of the charsets that contain it: bit n stands for charset n. */
const membership: Uint8Array = charsetMembership();

function charsetMembership(): Uint8Array {
  const table = new Uint8Array(128);
  for (let code = 0x21; code <= 0x7e; code++) {
    const character = String.fromCharCode(code);
    let mask = 1 << Charset.VISIBLE;
    if (/[A-Za-z0-9_.-]/.test(character)) mask |= (1 << Charset.IDENTIFIER) | (1 << Charset.NAME);
    if (":@/+=~".includes(character)) mask |= 1 << Charset.NAME;
    table[code] = mask;
  }
  return table;
}

function charsetAllows(value: string, charset: Charset): boolean {
  const bit = 1 << charset;
  for (let i = 0; i < value.length; i++) {
    if (((membership[value.charCodeAt(i)] ?? 0) & bit) === 0) return false;
  }
  return true;
}

function utf8Length(value: string): number {
  let length = value.length;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code > 0x7ff) length += 2;
    else if (code > 0x7f) length += 1;
    if (code >= 0xd800 && code <= 0xdbff) length -= 2; // a pair is four bytes, and its second half adds two
  }
  return length;
}

function boundsOf(field: DescField): Bounds | undefined {
  return hasOption(field, boundsOption) ? getOption(field, boundsOption) : undefined;
}

function under(name: string, check: ValueCheck): ValueCheck {
  return (value) => {
    const violation = check(value);
    return violation && at(name, violation);
  };
}

function at(name: string, violation: Violation): Violation {
  return { field: violation.field === "" ? name : `${name}.${violation.field}`, message: violation.message };
}

function isDefault(value: unknown): boolean {
  if (value instanceof Uint8Array) return value.length === 0;
  return value === undefined || value === "" || value === 0 || value === 0n || value === false;
}
