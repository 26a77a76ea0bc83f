import type { DescMessage, JsonValue, MessageShape } from "@bufbuild/protobuf";
import { type App, AppSchema, type ServerConfig, ServerConfigSchema } from "@fanfare/proto/config/v1";
import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { ConfigError } from "./config-error.ts";
import { messageFromJson } from "./config-json.ts";

/** A message that was read from a text, and where its fields stand there. */
interface MessageText<Message> {
  readonly config: Message;
  /** The line of a field's path, or of the nearest thing around it; counted from 1. Undefined if nothing of it is in the text. */
  lineOf(path: string): number | undefined;
}

/** A configuration that was read from a text. */
export type ConfigText = MessageText<ServerConfig>;

/**
 * Reads a configuration from YAML or JSON.
 * @throws ConfigError naming the line, and the field if the text has one
 */
export function readConfigText(text: string): ConfigText {
  return readText(ServerConfigSchema, text);
}

/** The same of a single app, as an entry of `apps` of a configuration. */
export function readAppText(text: string): { readonly app: App; lineOf(path: string): number | undefined } {
  const { config: app, lineOf } = readText(AppSchema, text);
  return { app, lineOf };
}

function readText<Desc extends DescMessage>(schema: Desc, text: string): MessageText<MessageShape<Desc>> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined) {
    const [problem = ""] = error.message.split("\n");
    throw new ConfigError(
      { field: "", problem: `the text is no YAML or JSON: ${problem}`, remedy: "" },
      { cause: error, line: error.linePos?.[0].line },
    );
  }
  const lineOf = (path: string) => {
    const offset = offsetOf(document, path);
    return offset === undefined ? undefined : lines.linePos(offset).line;
  };
  try {
    const json = plainValue(document);
    return { config: messageFromJson(schema, json), lineOf };
  } catch (error) {
    throw error instanceof ConfigError ? new ConfigError(error, { line: lineOf(error.field), cause: error }) : error;
  }
}

function plainValue(document: Document): JsonValue {
  try {
    return (document.toJS() ?? {}) as JsonValue;
  } catch (cause) {
    const problem = `the text cannot be read: ${cause instanceof Error ? cause.message : cause}`;
    throw new ConfigError({ field: "", problem, remedy: "write it without aliases" }, { cause });
  }
}

function offsetOf(document: Document, path: string): number | undefined {
  let node: unknown = document.contents;
  let offset: number | undefined;
  for (const step of path.split(/[.[\]]+/).filter((part) => part !== "")) {
    const found = entry(node, step);
    if (found === undefined) return offset;
    offset = found.offset ?? offset;
    node = found.value;
  }
  return offset;
}

/** An entry of a mapping or list. Fields may be written in either of the two ways that the JSON mapping has. */
function entry(node: unknown, step: string): { offset: number | undefined; value: unknown } | undefined {
  if (isSeq(node)) {
    const value = node.items[Number(step)] as Node | undefined;
    return value && { offset: value.range?.[0], value };
  }
  if (!isMap(node)) return undefined;
  const camel = step.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  for (const { key, value } of node.items) {
    if (isScalar(key) && (key.value === step || key.value === camel)) return { offset: key.range?.[0], value };
  }
  return undefined;
}
