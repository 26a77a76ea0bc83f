import type { LogEntry, LogSink } from "./log.ts";

/** Writes one JSON object a line: `time`, `level`, `message`, then the fields. */
export function jsonSink(writeLine: (line: string) => void): LogSink {
  return ({ atMs, level, message, fields }) => {
    const head = { time: new Date(atMs).toISOString(), level, message };
    writeLine(JSON.stringify({ ...printable(fields), ...head }));
  };
}

/** Writes one line for people: time of day, level, message, then the fields as `name=value`. */
export function textSink(writeLine: (line: string) => void): LogSink {
  return ({ atMs, level, message, fields }) => {
    const time = new Date(atMs).toISOString().slice(11, 23);
    const rest = Object.entries(printable(fields)).map(([name, value]) => ` ${name}=${word(value)}`);
    writeLine(`${time} ${level.padEnd(5)} ${oneLine(message)}${rest.join("")}`);
  };
}

/** Values as JSON knows them. What clients chose cannot break out of its line: text is quoted or escaped by both sinks. */
function printable(fields: LogEntry["fields"]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, plain(value, 0)]),
  );
}

/** The chain of causes is cut here. */
const maxDepth = 4;

function plain(value: unknown, depth: number): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Error) {
    const cause = value.cause === undefined || depth >= maxDepth ? {} : { cause: plain(value.cause, depth + 1) };
    return { name: value.name, message: value.message, stack: value.stack, ...cause };
  }
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value === null || typeof value !== "object") return typeof value === "symbol" ? String(value) : value;
  if (depth >= maxDepth) return "…";
  if (Array.isArray(value)) return value.map((element) => plain(element, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner, depth + 1)]));
}

function word(value: unknown): string {
  if (typeof value === "string" && /^[\w.:/@+=~-]+$/.test(value)) return value;
  return JSON.stringify(value) ?? String(value);
}

function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}]/gu, (character) => JSON.stringify(character).slice(1, -1));
}
