import {
  type DescField,
  type DescMessage,
  fromJson,
  getOption,
  hasOption,
  type JsonObject,
  type JsonValue,
  type MessageShape,
} from "@bufbuild/protobuf";
import { FrameTemplate, frame_template as templateOption } from "@fanfare/proto/conformance/v1alpha";
import { enumValueName, shortEnumNames } from "./enum-name.ts";
import { canonicalTemplate } from "./frame-template.ts";
import { suggestion } from "./nearest-name.ts";
import { FileError, type FileProblem, type YamlSource } from "./yaml-source.ts";

/** The messages that templates are of; see the option `frame_template`. */
export type TemplateMessages = (template: FrameTemplate) => DescMessage;

type Path = readonly (string | number)[];

/** Templates that are values and no patterns. */
const values: ReadonlySet<FrameTemplate> = new Set([
  FrameTemplate.SENT,
  FrameTemplate.HELLO,
  FrameTemplate.WELCOME_SENT,
  FrameTemplate.SUBSCRIBED_SENT,
]);

/**
 * Reads a message from a YAML text by Protobuf's JSON mapping; enum values may be written without their prefix.
 * @param templates what fields with the option `frame_template` hold
 * @throws FileError with every field that is unknown or of the wrong type, by line
 */
export function readYamlMessage<Desc extends DescMessage>(
  schema: Desc,
  source: YamlSource,
  templates?: TemplateMessages,
): MessageShape<Desc> {
  const reader = new Reader(source, templates);
  const json = reader.message(schema, source.value, []);
  if (reader.problems.length > 0) throw new FileError(reader.problems);
  try {
    return fromJson(schema, json);
  } catch (cause) {
    throw new FileError([source.problem([], cause instanceof Error ? cause.message : String(cause))]);
  }
}

class Reader {
  readonly problems: FileProblem[] = [];
  readonly #source: YamlSource;
  readonly #templates: TemplateMessages | undefined;

  constructor(source: YamlSource, templates: TemplateMessages | undefined) {
    this.#source = source;
    this.#templates = templates;
  }

  message(desc: DescMessage, value: unknown, path: Path): JsonObject {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.#report(path, `has to be an object with fields of ${desc.name}`);
      return {};
    }
    if (desc.typeName.startsWith("google.protobuf.")) return value as JsonObject;
    const result: JsonObject = {};
    const chosen = new Map<string, string>();
    for (const [key, one] of Object.entries(value)) {
      const field = desc.fields.find((candidate) => candidate.jsonName === key || candidate.name === key);
      if (field === undefined) {
        const names = desc.fields.map((candidate) => candidate.name);
        this.#report([...path, key], `is no field of ${desc.name}${suggestion(key, names)}`);
        continue;
      }
      const slot = field.oneof?.name ?? field.name;
      const earlier = chosen.get(slot);
      if (earlier !== undefined) this.#report([...path, key], `stands beside ${earlier}: only one of them can be set`);
      chosen.set(slot, key);
      result[field.jsonName] = this.#field(field, one, [...path, key]);
    }
    return result;
  }

  #field(field: DescField, value: unknown, path: Path): JsonValue {
    if (field.fieldKind === "map") return this.#map(field, value, path);
    if (field.fieldKind !== "list") return this.#single(field, value, path);
    if (Array.isArray(value)) return value.map((one, i) => this.#single(field, one, [...path, i]));
    this.#report(path, "has to be a list");
    return [];
  }

  #map(field: DescField & { fieldKind: "map" }, value: unknown, path: Path): JsonValue {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.#report(path, "has to be an object");
      return {};
    }
    const entries = Object.entries(value).map(([key, one]) => {
      const at = [...path, key];
      return [key, field.message === undefined ? (one as JsonValue) : this.message(field.message, one ?? {}, at)];
    });
    return Object.fromEntries(entries);
  }

  #single(field: DescField, value: unknown, path: Path): JsonValue {
    const template = hasOption(field, templateOption) ? getOption(field, templateOption) : undefined;
    if (template !== undefined && this.#templates !== undefined) {
      const report = (at: Path, problem: string) => this.#report(at, problem);
      return canonicalTemplate(this.#templates(template), value, { pattern: !values.has(template), path, report });
    }
    if (field.message !== undefined) {
      if (field.message.typeName === "google.protobuf.Value") return value as JsonValue;
      return this.message(field.message, value ?? {}, path);
    }
    if (field.enum !== undefined) return this.#enum(field, value, path);
    if (typeof value === "object") this.#report(path, "has to be a single value");
    if (field.scalar === 9 && typeof value !== "string") this.#report(path, "has to be a string: put it in quotes");
    return value as JsonValue;
  }

  #enum(field: DescField, value: unknown, path: Path): JsonValue {
    const desc = field.enum;
    const name = desc === undefined || typeof value !== "string" ? undefined : enumValueName(desc, value);
    if (name !== undefined) return name;
    const names = desc === undefined ? [] : shortEnumNames(desc);
    this.#report(path, `is ${String(value)}; it is one of ${names.join(", ")}`);
    return 0;
  }

  #report(path: Path, problem: string): void {
    this.problems.push(this.#source.problem(path, problem));
  }
}
